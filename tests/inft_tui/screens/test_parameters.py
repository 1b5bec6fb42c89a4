"""The parameter editor on the whole screen."""

from __future__ import annotations

from textual.pilot import Pilot

from inft.runs.directory import RunDirectory
from inft_tui.app import ConsoleApp
from inft_tui.launch.editor import editable
from tests.inft_tui.launch.machine import Machine
from tests.inft_tui.pictures import settled, text_of
from tests.inft_tui.screens.test_launch import shown
from tests.pty.conftest import old_run
from tests.runs.conftest import config, project

__all__ = ["config", "old_run", "project"]


def test_all_that_is_known_of_each(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "a", "slash", *"num_epochs", "enter")
        await settled(app, "Passes over the training rows.")
        assert "A number above 0 and at most 10000 (epochs); default 1." in text_of(app)
        await pilot.press("enter", "ctrl+u", "0")
        await settled(app, "It must be a number above 0 and at most 10000 (epochs).")
        await pilot.press("backspace", "2", "enter")
        await settled(app, "the profile has 1.")
        assert "● 1 changed" in text_of(app)
        await pilot.press("r")
        await settled(app, "default 1.")
        assert "1 changed" not in text_of(app)

    shown(old_run, Machine(), check, size=(120, 30))


def test_every_parameter_can_be_gone_to_and_changed(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "a")
        await settled(app, f"all {len(editable())}")
        seen: set[str] = set()
        for _ in range(4):
            seen |= {word for line in text_of(app).splitlines() for word in line.split()[:2] if "." in word}
            await pilot.press("pagedown")
        assert {info.key for info in editable() if info.table} <= seen
        await pilot.press("home", "enter", "ctrl+u", "7", "enter")
        await settled(app, "was 42")

    shown(old_run, Machine(), check, size=(160, 45))


def test_choices_are_gone_through_in_both_directions(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "slash", *"model_source", "enter", "left")
        await settled(app, "folder                        was tiny")
        await pilot.press("right")
        await settled(app, "default hub")
        await pilot.press("escape", "slash", *"optim", "enter", "H", "H")
        await settled(app, "1 changed")
        await pilot.press("tab", "L")  # at the lights it means nothing
        await settled(app, "1 changed")
        await pilot.press("shift+tab", "L", "L")
        await settled(app, "nothing")
        await pilot.press("slash", *"sft.lr", "enter", "H", "shift+right")  # which is typed
        await settled(app, "nothing")

    shown(old_run, Machine(), check, size=(160, 45))
