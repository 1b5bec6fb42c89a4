"""`status.json`: what a run is doing now, and who is doing it. One process writes it, everybody reads it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from inft.runs.clock import timestamp, utc_now
from inft.runs.files import replace_file
from inft.runs.redact import storable

RunState: TypeAlias = Literal[
    "queued", "starting", "loading", "training", "evaluating", "saving", "finished", "stopped", "failed"
]
FINAL_STATES: frozenset[RunState] = frozenset({"finished", "stopped", "failed"})

# The kernel keeps a start time relative to boot, and the clock that turns it into a date is corrected now and then.
# No pid comes round again within this time.
START_TOLERANCE_S = 2.0


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number.

    Attributes:
        pid: its number.
        started: when it started, in seconds since 1970.
    """

    pid: int
    started: float


@dataclass(frozen=True)
class Pids:
    """Who works on a run; None = nobody in that part."""

    supervisor: ProcessId | None = None
    trainer: ProcessId | None = None


@dataclass(frozen=True)
class Cause:
    """Why a run ended without finishing: what an `InftError` says."""

    kind: str
    message: str
    fix: str


@dataclass(frozen=True)
class Status:
    """The content of `status.json`.

    Attributes:
        state: what the run is doing, or how it ended.
        pids: its processes.
        heartbeat: when this was last written; `StatusFile` fills it in.
        step: optimiser steps done.
        max_steps: optimiser steps in all; None until known.
        exit_code: of the run; None while it lives.
        cause: why it stopped or failed.
    """

    state: RunState
    pids: Pids = field(default_factory=Pids)
    heartbeat: str = ""
    step: int = 0
    max_steps: int | None = None
    exit_code: int | None = None
    cause: Cause | None = None

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in FINAL_STATES


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
            cause = Cause(storable(cause.kind), storable(cause.message), storable(cause.fix))
        stamped = replace(status, heartbeat=timestamp(utc_now()), cause=cause)
        replace_file(self._path, msgspec.json.encode(stamped) + b"\n", durable=status.is_final)


def read_status(path: Path) -> Status | None:
    """The status of a run; None when it has none yet, or one that no version of ours wrote.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except (FileNotFoundError, ValueError):
        return None


def this_process() -> ProcessId:
    """The process that asks."""
    import psutil  # 15 ms that only a process that writes a status needs

    me = psutil.Process()
    return ProcessId(me.pid, me.create_time())


def is_alive(process: ProcessId) -> bool:
    """Whether that very process still runs; one that ended but was not yet collected by its parent does not."""
    import psutil  # 15 ms that only a look at other processes needs

    try:
        found = psutil.Process(process.pid)
        started: float = found.create_time()
        ended: bool = found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return abs(started - process.started) <= START_TOLERANCE_S and not ended
