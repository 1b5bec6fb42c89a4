from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, write_events, write_status

__all__ = ["config", "project"]


def ended_run(config: Config, at: str) -> RunDirectory:
    run = new_run(config, at)
    write_events(run, {"event": "log", "global_step": 1, "loss": 4.0})
    write_status(run, Status("finished", step=1, max_steps=1, exit_code=0))
    return run


@pytest.fixture
def runs(config: Config) -> list[RunDirectory]:
    """The newest first."""
    return [ended_run(config, f"2025-03-0{day} 12:00:00") for day in (4, 3, 2)]


def test_leaving_it_changes_nothing(runs: list[RunDirectory], project: Path) -> None:
    async def check() -> None:
        async with scene_of(Scene("x", ("4", "r")), project / "logs", capabilities(), (120, 36)) as (app, pilot):
            await pilot.press("down", "down", "space", "escape")
            await settled(app, "2 runs")
            assert app.subjects.marked == []

    asyncio.run(check())


def test_the_cursor_stays_on_its_run(runs: list[RunDirectory], config: Config, project: Path) -> None:
    async def check() -> None:
        async with scene_of(Scene("x", ("4", "r")), project / "logs", capabilities(), (120, 36)) as (app, pilot):
            await pilot.press("down")
            new = ended_run(config, "2025-03-05 12:00:00")
            await settled(app, new.run_id)
            await pilot.press("space", "enter")
            await settled(app, "1 run")
            assert app.subjects.marked == [runs[0].path], "of the two, the second was taken out"

    asyncio.run(check())
