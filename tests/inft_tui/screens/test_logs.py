"""Logs as a person sees them: what they open on, and what stays when another file is shown."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.status import Cause, Status
from inft_tui.app import ConsoleApp
from inft_tui.logs.files import logs_of, most_useful
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import dead_process, new_run, working, write_events, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]
FINISHED = Status("finished", step=40, max_steps=40, exit_code=0)


@pytest.fixture
def run(config: Config) -> RunDirectory:
    made = new_run(config, "2025-03-01 12:00:00")
    write_status(made, FINISHED)
    made.console_log.write_text("{'loss': 2.0}\nstep by step\n")
    write_events(made, events.log(global_step=40, loss=2.0))
    return made


def opened(path: Path) -> str:
    kinds = logs_of(path)
    return kinds[most_useful(path, kinds)].name


def test_what_is_opened_is_what_tells_most(run: RunDirectory, tmp_path: Path) -> None:
    assert opened(run.path) == "events"
    write_status(run, Status("failed", exit_code=6, cause=Cause("data", "No row.", "")))
    assert opened(run.path) == "console.log"
    write_status(run, working(dead_process()))
    assert opened(run.path) == "console.log", "killed without a word"
    run.console_log.write_text("")
    assert opened(run.path) == "events"
    run.metrics.write_text("")
    assert opened(run.path) == "console.log", "where there is nothing, the usual one"
    assert opened(tmp_path / "gone") == "console.log"
    (tmp_path / "other.jsonl").write_text("{}")
    assert opened(tmp_path / "other.jsonl") == "other.jsonl"


def test_tab_keeps_the_filter_and_a_deleted_run_is_said_to_be(run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await settled(app, "step 40, loss 2")
        await pilot.press("slash", *"step", "enter")
        await settled(app, "1 with “step”")
        await pilot.press("shift+tab")
        await settled(app, "step by step")
        assert "1 with “step”" in text_of(app)
        assert "'loss'" not in text_of(app)
        await pilot.press("escape")
        await settled(app, "'loss'")
        shutil.rmtree(run.path)
        await pilot.press("tab", "tab")
        await settled(app, "There is no supervisor.log any more: its folder was deleted.")

    async def look() -> None:
        scene = Scene("logs", ("5",), "step 40", attach=run.path.name)
        async with scene_of(scene, run.path.parent, capabilities(), (100, 30)) as (app, pilot):
            await check(app, pilot)

    asyncio.run(look())
