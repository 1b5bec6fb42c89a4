"""What is asked of a run from a screen."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence

import pytest

from inft.runs.directory import RunDirectory
from inft_tui import deeds
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled
from tests.pty.conftest import old_run
from tests.runs.conftest import config, project

__all__ = ["config", "old_run", "project"]


def test_resume_says_as_what_it_goes_on_and_leads_there(old_run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []

    def start(command: Sequence[str]) -> subprocess.Popen[str]:
        asked.append(command)
        return subprocess.Popen(["echo", "small-2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(deeds, "_start", start)

    async def check() -> None:
        async with scene_of(Scene("x"), old_run.path.parent, capabilities(), (100, 30)) as (app, pilot):
            await settled(app, old_run.run_id)
            await pilot.press("r", "y")
            await settled(app, "Going on as small-2.")
            assert app.subjects.chosen == old_run.path.parent / "small-2"

    asyncio.run(check())
    assert [command[-3:] for command in asked] == [["resume", str(old_run.path), "--detach"]]
