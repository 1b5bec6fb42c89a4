"""`status.json`: what a run is doing now, and who is doing it. One process writes it, everybody reads it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from inft.machine.boot import uptime
from inft.machine.processes import ProcessId
from inft.runs.clock import timestamp, utc_now
from inft.runs.files import replace_file
from inft.runs.redact import storable

RunState: TypeAlias = Literal[
    "queued", "starting", "loading", "training", "evaluating", "saving", "finished", "stopped", "failed"
]
FINAL_STATES: frozenset[RunState] = frozenset({"finished", "stopped", "failed"})


@dataclass(frozen=True)
class Pids:
    """Who works on a run; None = nobody in that part."""

    supervisor: ProcessId | None = None
    trainer: ProcessId | None = None


@dataclass(frozen=True)
class Cause:
    """Why a run ended without finishing.

    Attributes:
        kind: one word to filter by; for an `InftError`, its `kind`.
        message: what and where, in one sentence.
        fix: what to do, in one sentence; may be empty.
        tail: the last lines of `console.log`, for an end that nobody explained.
    """

    kind: str
    message: str
    fix: str
    tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """The content of `status.json`.

    Attributes:
        state: what the run is doing, or how it ended.
        pids: its processes.
        heartbeat: when this was last written; `StatusFile` fills it in, as it does
        uptime: the same on the machine's own clock, see `inft.machine.boot.uptime`. It tells the heartbeat's age even
            when somebody set the time of day.
        step: optimiser steps done.
        max_steps: optimiser steps in all; None until known.
        exit_code: of the run; None while it lives.
        cause: why it stopped or failed.
    """

    state: RunState
    pids: Pids = field(default_factory=Pids)
    heartbeat: str = ""
    uptime: float | None = None
    step: int = 0
    max_steps: int | None = None
    exit_code: int | None = None
    cause: Cause | None = None

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in FINAL_STATES


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(Status)


class StatusFile:
    """Writes one run's `status.json`.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, status: Status) -> None:
        """Replaces the file by `status` with the present moment as its heartbeat.

        Only a final state waits for the disk: a lost heartbeat is repeated, a lost end is not.

        Raises:
            DiskError: it could not be written; the status before it still stands.
        """
        cause = status.cause
        if cause is not None:
            tail = tuple(storable(line) for line in cause.tail)
            cause = Cause(storable(cause.kind), storable(cause.message), storable(cause.fix), tail)
        stamped = replace(status, heartbeat=timestamp(utc_now()), uptime=uptime(), cause=cause)
        replace_file(self._path, msgspec.json.encode(stamped) + b"\n", durable=status.is_final)


def read_status(path: Path) -> Status | None:
    """The status of a run; None when it has none yet, or one that no version of ours wrote.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        return _DECODER.decode(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
