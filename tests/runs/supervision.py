"""Starting supervisors of a stand-in, and waiting for what they do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeAlias

from inft.machine.processes import ProcessId, process_of
from inft.runs.directory import RunDirectory
from inft.runs.escalation import Patience
from inft.runs.launch import start_trainer
from inft.runs.status import Cause, Status, read_status
from inft.runs.supervisor import Plan, Trainer
from tests.runs import stand_in

PATIENCE_S = 20.0

QUICK = Plan(patience=Patience(ask=0.2, terminate=0.2, abort=0.2), hardware_interval_s=0, tick_s=0.02)

Supervisor: TypeAlias = subprocess.Popen[bytes]
Launch: TypeAlias = Callable[[RunDirectory, str], Supervisor]
"""Starts the supervisor of a run whose trainer is a stand-in with this behaviour."""


def starter(run: RunDirectory) -> Callable[[], Trainer]:
    """What starts the stand-in as `supervise` asks for it."""
    return lambda: start_trainer(run, module=stand_in.MODULE)


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


def own_child(run: RunDirectory) -> ProcessId:
    """The process that a stubborn trainer starts."""
    working(run)
    until(lambda: "child " in run.console_log.read_text(encoding="utf-8"))
    child = process_of(int(run.console_log.read_text(encoding="utf-8").split("child ")[1].split()[0]))
    assert child is not None
    return child
