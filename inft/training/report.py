"""How a run tells the world about itself: events, status and progress, through one object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from inft.errors import ExitCode, InftError
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger, Record
from inft.runs.status import Cause, Pids, RunState, Status, StatusFile, this_process

Listener = Callable[[Record], None]

STAGE_INTERVAL_S = 0.25  # progress of a stage; a weight file has hundreds of tensors
HEARTBEAT_INTERVAL_S = 1.0


class RunReport:
    """Writes one run's `metrics.jsonl`, `samples.jsonl` and `status.json`; the only writer of the three.

    Args:
        run: the run's directory.
        listeners: called with every event after it is written.
    """

    def __init__(self, run: RunDirectory, listeners: Iterable[Listener] = ()) -> None:
        self._metrics = JsonlLogger(run.metrics)
        self._samples = JsonlLogger(run.samples)
        self._status_file = StatusFile(run.status_json)
        self._status = Status(state="starting", pids=Pids(trainer=this_process()))
        self._listeners = tuple(listeners)
        self._last_stage = ("", 0.0)
        self._last_heartbeat = 0.0
        self._write_status()

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self._status.step

    def state(self, state: RunState) -> None:
        """The run is now in another phase."""
        self._status = replace(self._status, state=state)
        self._write_status()

    def stage(self, name: str, done: float, total: float | None, unit: str) -> None:
        """Progress of a long piece of work; written a few times a second at most, and always when it is over."""
        now = time.monotonic()
        last_name, last_time = self._last_stage
        if name == last_name and done != total and now - last_time < STAGE_INTERVAL_S:
            return
        self._last_stage = (name, now)
        self.event(events.stage(name=name, done=done, total=total, unit=unit))

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Something is written to the disk; afterwards the run is in the phase it was in before."""
        before = self._status.state
        self.state("saving")
        self.stage("saving", 0, 1, "folders")
        yield
        self.stage("saving", 1, 1, "folders")
        self.state(before)

    def event(self, record: Record) -> None:
        """Writes an event, then lets the listeners know."""
        self._metrics.write(record)
        for listener in self._listeners:
            listener(record)

    def sample(self, record: Record) -> None:
        """Writes a sample caption, also to `samples.jsonl`."""
        self._samples.write(record)
        self.event(record)

    def progress(self, step: int, max_steps: int) -> None:
        """Optimiser steps done; the status is rewritten once a second at most."""
        self._status = replace(self._status, step=step, max_steps=max_steps)
        if time.monotonic() - self._last_heartbeat >= HEARTBEAT_INTERVAL_S:
            self._write_status()

    def finished(self) -> None:
        """The run has done all it was to do."""
        self._end("finished", ExitCode.FINISHED, None)

    def stopped(self, message: str, fix: str) -> None:
        """The run ends early because it was asked to."""
        self._end("stopped", ExitCode.STOPPED, Cause("stopped", message, fix))

    def failed(self, error: InftError) -> None:
        """The run ends with an error."""
        self._end("failed", error.exit_code, Cause(error.kind, error.message, error.fix))

    def close(self) -> None:
        """Closes the files."""
        self._metrics.close()
        self._samples.close()

    def _end(self, state: RunState, code: ExitCode, cause: Cause | None) -> None:
        self._status = replace(self._status, state=state, exit_code=int(code), cause=cause)
        self._write_status()

    def _write_status(self) -> None:
        self._last_heartbeat = time.monotonic()
        self._status_file.write(self._status)
