"""How a run tells the world about itself: events, status and progress, through one object."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from inft.errors import DiskError, ExitCode, InftError
from inft.machine.processes import this_process
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger, Record
from inft.runs.status import Cause, Pids, RunState, Status, StatusFile
from inft.training.reserve import Reserve

Listener = Callable[[Record], None]

STAGE_INTERVAL_S = 0.25  # progress of a stage; a weight file has hundreds of tensors
HEARTBEAT_INTERVAL_S = 1.0
ABORT_PATIENCE_S = 1.0
"""How long an abort waits for whatever is being written; a disk that hangs must not keep it."""


class RunReport:
    """Writes one run's `metrics.jsonl`, `samples.jsonl` and `status.json`; the only writer of the three.

    Safe to share between threads: what one of them writes is whole, and nothing follows the end of an aborted run.

    Args:
        run: the run's directory.
        listeners: called with every event after it is written.
        pids: the run's processes; None = this one and no supervisor.

    Raises:
        DiskError: the run's directory cannot be written.
    """

    def __init__(self, run: RunDirectory, listeners: Iterable[Listener] = (), *, pids: Pids | None = None) -> None:
        self._lock = threading.RLock()
        self._aborted = False
        self._holding = False
        self._disk_problem: DiskError | None = None
        self._listeners = tuple(listeners)
        self._last_stage = ("", 0.0)
        self._last_heartbeat = 0.0
        self._status_file = StatusFile(run.status_json)
        self._status = Status(state="starting", pids=pids or Pids(trainer=this_process()))
        self._write_status()
        self._reserve = Reserve(run.reserve)
        self._metrics = JsonlLogger(run.metrics)
        self._samples = JsonlLogger(run.samples)

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self._status.step

    @property
    def disk_problem(self) -> DiskError | None:
        """Why the log ends here; see `outliving_the_log`."""
        return self._disk_problem

    def state(self, state: RunState) -> None:
        """The run is now in another phase."""
        with self._lock:
            self._change(state=state)
            self._write(self._write_status)

    def beat(self) -> None:
        """Something got done; says so in the status, once a second at most."""
        if time.monotonic() - self._last_heartbeat >= HEARTBEAT_INTERVAL_S:
            with self._lock:
                self._write(self._write_status)

    def progress(self, step: int, max_steps: int) -> None:
        """Optimiser steps done."""
        with self._lock:
            self._change(step=step, max_steps=max_steps)
        self.beat()

    def stage(self, name: str, done: float, total: float | None, unit: str) -> None:
        """Progress of a long piece of work; written a few times a second at most, and always at its start and end."""
        self.beat()
        now = time.monotonic()
        going_on, last_time = self._last_stage
        if name == going_on and done != total and now - last_time < STAGE_INTERVAL_S:
            return
        self._last_stage = ("" if done == total else name, now)
        self.event(events.stage(name=name, done=done, total=total, unit=unit))

    @contextmanager
    def phase(self, state: RunState) -> Iterator[None]:
        """The run is in another phase for a while; if that fails, it stays there for the end to be told from."""
        before = self._status.state
        self.state(state)
        yield
        self.state(before)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Something is written to the disk; afterwards the run is in the phase it was in before."""
        with self.phase("saving"):
            self.stage("saving", 0, 1, "folders")
            yield
            self.stage("saving", 1, 1, "folders")

    @contextmanager
    def outliving_the_log(self) -> Iterator[None]:
        """In here a full disk ends the log and not the work: `disk_problem` keeps the reason, and nothing is raised.

        So that a run can still save to another disk before it fails.
        """
        self._holding = True
        try:
            yield
        finally:
            self._holding = False

    def event(self, record: Record) -> None:
        """Writes an event, then lets the listeners know. Nothing follows the end: who reads the run stops there.

        Raises:
            DiskError: it could not be written, and nothing outlives the log.
        """
        with self._lock:
            if self._aborted or self._status.is_final:
                return
            self._write(lambda: self._metrics.write(record))
            for listener in self._listeners:
                listener(record)

    def sample(self, record: Record) -> None:
        """Writes a sample caption, also to `samples.jsonl`."""
        self.beat()
        with self._lock:
            self._write(lambda: self._samples.write(record))
            self.event(record)

    def finished(self) -> None:
        """The run has done all it was to do."""
        self._end("finished", ExitCode.FINISHED, None)

    def stopped(self, message: str, fix: str) -> None:
        """The run ends early because it was asked to."""
        self._end("stopped", ExitCode.STOPPED, Cause("stopped", message, fix))

    def failed(self, error: InftError, tail: Sequence[str] = ()) -> None:
        """The run ends with an error.

        Args:
            error: which.
            tail: the last lines of `console.log`, if the error explains nothing.
        """
        self._end("failed", error.exit_code, Cause(error.kind, error.message, error.fix_with_details, tuple(tail)))

    def aborted(self, message: str, fix: str) -> None:
        """The run ends this moment; from another thread than the one at work, which writes nothing any more."""
        if not self._lock.acquire(timeout=ABORT_PATIENCE_S):
            return  # the disk hangs; whoever looks next tells by the processes
        try:
            if self._status.is_final:
                return
            with suppress(DiskError):
                self.event(events.train_end(state="stopped", global_step=self.step))
            self._aborted = True
            with suppress(DiskError):
                self._end("stopped", ExitCode.STOPPED, Cause("aborted", message, fix))
        finally:
            self._lock.release()

    def make_room(self) -> None:
        """Gives up the room that was held back for the end, which is now to be told."""
        self._reserve.release()

    def close(self) -> None:
        """Closes the files."""
        self._reserve.release()
        self._metrics.close()
        self._samples.close()

    def _end(self, state: RunState, code: ExitCode, cause: Cause | None) -> None:
        with self._lock:
            if self._status.is_final:
                return
            self._reserve.release()
            ended = replace(self._status, state=state, exit_code=int(code), cause=cause)
            self._status_file.write(ended)
            self._status = ended

    def _change(self, **changes: Any) -> None:
        if not self._status.is_final:
            self._status = replace(self._status, **changes)

    def _write(self, write: Callable[[], None]) -> None:
        """Does the writing, unless the run was aborted or its disk is known to be full."""
        if self._aborted or (self._holding and self._disk_problem is not None):
            return
        try:
            write()
        except DiskError as error:
            if not self._holding:
                raise
            self._disk_problem = error

    def _write_status(self) -> None:
        self._last_heartbeat = time.monotonic()
        self._status_file.write(self._status)
