from __future__ import annotations

from collections.abc import Iterator

import pytest

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.pty.terminal import Terminal
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, start_sleeper, working, write_events, write_status

__all__ = ["config", "live_run", "old_run", "project", "terminals"]


@pytest.fixture
def old_run(config: Config) -> RunDirectory:
    """A run that finished long ago."""
    run = new_run(config, "2025-03-01 12:00:00")
    write_events(run, *({"event": "log", "global_step": step, "loss": 4.0 - step / 10} for step in range(1, 21)))
    write_status(run, Status("finished", step=20, max_steps=20, exit_code=0))
    return run


@pytest.fixture
def live_run(config: Config) -> Iterator[RunDirectory]:
    """A run whose trainer is a process that sleeps."""
    process, identity = start_sleeper()
    run = new_run(config, "2025-03-02 12:00:00")
    write_status(run, working(identity))
    yield run
    process.kill()
    process.wait()


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Those in here are closed at the end."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.__exit__()
