"""Waiting for what supervisor and stand-in do."""

from __future__ import annotations

import time
from collections.abc import Callable

from inft.machine.processes import ProcessId
from inft.runs.directory import RunDirectory
from inft.runs.status import Cause, Status, read_status

PATIENCE_S = 20.0


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Waits for `condition`."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def status_of(run: RunDirectory) -> Status:
    """The status, which has to be there."""
    status = read_status(run.status_json)
    assert status is not None
    return status


def working(run: RunDirectory, step: int = 2) -> ProcessId:
    """The trainer, once it has done some steps."""
    until(lambda: status_of(run).state == "training" and status_of(run).step >= step)
    trainer = status_of(run).pids.trainer
    assert trainer is not None
    return trainer


def cause_of(run: RunDirectory) -> Cause:
    """Why the run ended."""
    cause = status_of(run).cause
    assert cause is not None
    return cause
