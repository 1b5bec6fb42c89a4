"""What is known of the runs as the console is left."""

from __future__ import annotations

import time

import pytest

from inft.config import Config
from inft.machine.processes import this_process
from inft.runs.status import Pids, Status
from inft_tui.app import last_words
from inft_tui.listing import Listing, Snapshot
from inft_tui.parting_look import parting_look
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, write_status

__all__ = ["config", "project"]

ALIVE = Status("training", Pids(this_process()), step=40, max_steps=120)


def test_a_run_that_the_listing_missed_and_one_that_has_ended_since(config: Config) -> None:
    ended, missed = (new_run(config, f"2025-03-01 1{hour}:00:00") for hour in (2, 3))
    write_status(ended, ALIVE)
    known = Listing(ended.path.parent).read(9.0)
    snapshot = Snapshot(tuple(seen for seen in known.runs if seen.run == ended), done=True)
    write_status(ended, Status("finished", step=120, max_steps=120, exit_code=0))
    write_status(missed, ALIVE)
    (ended.path.parent / "notes.txt").touch()
    words = last_words(parting_look(snapshot, ended.path.parent, 9.0))
    assert f"goes on without the console: {missed.run_id}." in words
    assert ended.run_id in last_words(snapshot)


def test_a_disk_that_hangs_keeps_nobody(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    logs_dir = new_run(config, "2025-03-01 12:00:00").path.parent
    monkeypatch.setattr("inft_tui.parting_look._looked_again", lambda *_: time.sleep(0.5))
    began, snapshot = time.monotonic(), Snapshot()
    assert parting_look(snapshot, logs_dir, 0.02) is snapshot
    assert time.monotonic() - began < 0.4
