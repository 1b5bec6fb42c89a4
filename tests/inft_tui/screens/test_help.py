"""Help, and what the footer offers, as a person sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.app import ConsoleApp
from inft_tui.screens.console_screen import ConsoleScreen, Prompt
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


@pytest.fixture
def run(config: Config) -> RunDirectory:
    made = new_run(config, "2025-03-01 12:00:00")
    write_status(made, Status("finished", step=40, max_steps=40, exit_code=0))
    return made


def shown(run: RunDirectory, check: Check, size: tuple[int, int] = (80, 24)) -> None:
    async def look() -> None:
        async with scene_of(Scene("runs", shows="finished"), run.path.parent, capabilities(), size) as (app, pilot):
            await check(app, pilot)

    asyncio.run(look())


def footer(app: ConsoleApp) -> str:
    return text_of(app).splitlines()[-1]


def test_help_scrolls_and_says_that_there_is_more(run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await settled(app, "more below")
        assert "Draw everything anew" not in text_of(app)
        assert " ".join(footer(app).split()) == "Up Down scroll Space next page Esc back"
        await pilot.press("space")
        await settled(app, "Draw everything anew")
        assert "more above" in text_of(app)
        await pilot.press("pageup", "down", "home")
        await settled(app, "Look at this run")
        await pilot.press("x")
        await settled(app, "finished")
        assert "more below" not in text_of(app)

    shown(run, check)


def test_the_footer_offers_what_answers_a_question(run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        assert footer(app).split() == ["Enter", "done", "Esc", "leave", "it"]
        await pilot.press("escape")
        assert "commands" in footer(app)
        screen = app.screen
        assert isinstance(screen, ConsoleScreen)
        screen.ask(Prompt("Really?", lambda _: None))
        await settled(app, "Really?")
        assert footer(app).split() == ["y", "yes", "Esc", "no"]

    shown(run, check)


def test_what_means_nothing_now_is_not_offered(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inft_tui.screens.runs.RunsScreen.is_valid", lambda _, name: name != "runs.save")

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert "save" not in footer(app)
        assert "open" in footer(app)
        await pilot.press("colon")
        await settled(app, "Go to the newest run")
        assert "save a checkpoint and go on" not in text_of(app)

    shown(run, check, (160, 45))
