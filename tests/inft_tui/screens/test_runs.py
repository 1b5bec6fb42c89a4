"""What is seen to be selected is what every screen is about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft_tui.app import ConsoleApp
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled, text_of
from tests.inft_tui.screens.test_choose_runs import ended_run
from tests.runs.conftest import config, project

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


@pytest.fixture
def runs(config: Config) -> list[RunDirectory]:
    """The newest first."""
    return [ended_run(config, f"2025-03-0{day} 12:00:00") for day in (4, 3, 2)]


def shown(project: Path, check: Check, *keys: str, attach: str = "") -> None:
    async def main() -> None:
        scene = Scene("x", keys, attach=attach)
        async with scene_of(scene, project / "logs", capabilities(), (120, 36)) as (app, pilot):
            await check(app, pilot)

    asyncio.run(main())


def selected(app: ConsoleApp) -> Path | None:
    """The run whose words stand below the listing."""
    name = next(line for line in text_of(app).splitlines() if line.startswith("───")).split()[1]
    return app.snapshot.runs[0].run.path.with_name(name)


def test_a_filter_hides_and_another_is_selected(runs: list[RunDirectory], project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"20250303", "enter")
        await settled(app, f"─── {runs[1].run_id}")
        await pilot.press("5")
        await settled(app, "Logs")
        assert runs[1].run_id in text_of(app).splitlines()[0]
        await pilot.press("2", "escape")
        await settled(app, runs[2].run_id)
        assert app.subjects.chosen == runs[1].path

    shown(project, check)


def test_a_new_run_does_not_take_the_selection(runs: list[RunDirectory], config: Config, project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await settled(app, "loss")
        new = ended_run(config, "2025-03-05 12:00:00")
        await pilot.press("escape")
        await settled(app, new.run_id)
        await settled(app, f"─── {runs[0].run_id}")
        assert app.subjects.chosen == runs[0].path

    shown(project, check)


def test_an_attached_run_is_the_selected_one(runs: list[RunDirectory], project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await settled(app, f"─── {runs[2].run_id}")
        assert selected(app) == app.subjects.chosen == runs[2].path

    shown(project, check, attach=runs[2].run_id)


def test_nothing_is_found(runs: list[RunDirectory], project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", "x", "x", "enter")
        await settled(app, "No run has “xx”")
        assert "Esc shows all 3 again." in text_of(app)
        await pilot.press("escape")
        await settled(app, runs[1].run_id)

    shown(project, check)


def test_there_are_none(project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await settled(app, "There are no runs yet.")
        assert "1 prepares one." in text_of(app)

    shown(project, check)
