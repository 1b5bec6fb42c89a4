from __future__ import annotations

import os
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft.runs import control
from inft.runs.control import REQUESTS
from inft.runs.directory import RunDirectory


def test_nothing_is_asked_of_a_new_run(run: RunDirectory) -> None:
    assert control.pending(run) == frozenset()
    assert control.asker(run, "stop") is None


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_stands_until_it_is_done(run: RunDirectory, request_: control.Request) -> None:
    control.ask(run, request_)
    control.ask(run, request_)
    assert control.pending(run) == {request_}
    asker = control.asker(run, request_)
    assert asker is not None
    assert asker.pid == os.getpid()
    assert asker.host
    control.done(run, request_)
    control.done(run, request_)
    assert control.pending(run) == frozenset()


def test_a_request_made_by_hand_counts(run: RunDirectory) -> None:
    run.control.mkdir()
    (run.control / "stop").touch()
    (run.control / "dance").touch()
    (run.control / ".save.123").touch()
    assert control.pending(run) == {"stop"}
    assert control.asker(run, "stop") is None


def test_requests_do_not_hide_one_another(run: RunDirectory) -> None:
    for request in REQUESTS:
        control.ask(run, request)
    assert control.pending(run) == set(REQUESTS)


def test_a_run_that_cannot_be_written(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "gone")
    with pytest.raises(DiskError, match="control"):
        control.ask(run, "stop")
    assert control.pending(run) == frozenset()
