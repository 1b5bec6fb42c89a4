"""The Monitor screen over runs on disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.app import ConsoleApp
from inft_tui.screens.chart import ChartScreen
from inft_tui.screens.monitor import MonitorScreen
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, start_sleeper, working, write_events, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


def log(step: int) -> dict[str, object]:
    figures = {f"figure_{number:02}": step * number for number in range(14)}
    return {
        "event": "log",
        "global_step": step,
        "epoch": step / 10,
        "elapsed_sec": step,
        "loss": 4 - step / 20,
        **figures,
    }


@pytest.fixture
def live(project: Path, config: Config) -> Iterator[RunDirectory]:
    """A run of forty steps whose trainer lives."""
    process, identity = start_sleeper()
    run = new_run(config, "2025-03-01 12:00:00")
    write_events(run, {"event": "train_begin", "global_step": 0, "max_steps": 120}, *map(log, range(1, 41)))
    write_status(run, working(identity))
    yield run
    process.kill()
    process.wait()


def shown(run: Path, shows: str, check: Check, *, size: tuple[int, int] = (160, 45)) -> None:
    """Opens the screen, and lets `check` look at it."""

    async def look() -> None:
        scene = Scene("monitor", (), shows, attach=run.name)
        async with scene_of(scene, run.parent, capabilities(), size) as (app, pilot):
            await check(app, pilot)

    asyncio.run(look())


def test_it_shows_the_run_and_keeps_up(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert "● training" in text_of(app)
        assert "step 40 of 120" in text_of(app)
        write_events(live, log(41), {"event": "alert", "level": "warning", "message": "It is hot."})
        write_status(live, Status("finished", step=41, max_steps=120, exit_code=0))
        await settled(app, "finished")
        assert "step 41 of 120" in text_of(app)
        await pilot.press("p", "p")
        await settled(app, "It is hot.")

    shown(live.path, "loss  2", check)


def test_a_chart_is_chosen_looked_into_and_found_again(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("right", "enter")
        await settled(app, "2 of 15")
        assert isinstance(app.screen, ChartScreen)
        assert app.screen.key == "figure_00"
        await pilot.press("tab", "tab", "escape")
        await settled(app, "page 1 of 2")
        await pilot.press("enter")
        await settled(app, "4 of 15")
        await pilot.press("escape", "pagedown", "enter")
        await settled(app, "of 15")
        assert isinstance(app.screen, ChartScreen)
        assert app.screen.key > "figure_07"

    shown(live.path, "loss  2", check)


def test_status_in_words_and_a_panel_with_all_the_room(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("i")
        await settled(app, "processes")
        await pilot.press("escape", "z")
        await settled(app, "step 20 of 120")
        await pilot.press(*["up"] * 20)
        await settled(app, "step 6 of 120")
        await pilot.press("escape")
        await settled(app, "┤")
        assert isinstance(app.screen, MonitorScreen)

    shown(live.path, "loss  2", check)


def test_a_run_that_is_deleted_meanwhile_is_no_end(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        shutil.rmtree(live.path)
        await settled(app, "▲")
        await pilot.press("i", "i", "right", "enter", "escape", "escape")
        await settled(app, "There are no runs yet.")

    shown(live.path, "loss  2", check)


def test_a_run_without_figures_says_so(project: Path, config: Config) -> None:
    run = new_run(config, "2025-03-01 12:00:00")

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "right", "pagedown")
        assert isinstance(app.screen, MonitorScreen)

    shown(run.path, "It has logged no figures.", check)


def test_another_programs_log_is_watched_but_never_asked_for_anything(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f'{{"loss": {4 - step / 20}, "step": {step}}}\n' for step in range(1, 41)))

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("x")
        await settled(app, "another program's log")
        await pilot.press("i")
        await settled(app, str(path))
        assert list(tmp_path.iterdir()) == [path]

    shown(path, "loss  2", check)


def test_any_size_will_do(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        for size in ((60, 18), (20, 5), (300, 100), (80, 24), (1, 1), (160, 45)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await resized(app, pilot, (60, 18), "loss  2")
        lines = text_of(app).splitlines()
        assert any("┤" in line for line in lines)
        assert any("── log" in line for line in lines)

    shown(live.path, "loss  2", check)
