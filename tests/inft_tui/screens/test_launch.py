"""The Launch screen with a machine that always answers the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from inft.runs.directory import RunDirectory
from inft_tui.app import ConsoleApp
from inft_tui.display.spans import Line
from inft_tui.widgets.line_view import LineView
from tests.inft_tui.launch.machine import Machine
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.pty.conftest import old_run
from tests.runs.conftest import config, project

__all__ = ["config", "old_run", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


def shown(
    run: RunDirectory, machine: Machine, check: Check, *, shows: str = "Ready?", size: tuple[int, int] = (120, 40)
) -> None:
    """Opens the screen on the profile that was run last, and lets `check` look at it."""

    async def act() -> None:
        scene = Scene("launch", ("1",), shows, prepare=machine.use)
        async with scene_of(scene, run.path.parent, capabilities(), size) as (app, pilot):
            await check(app, pilot)

    asyncio.run(act())


def spans(app: ConsoleApp) -> list[Line]:
    return [line for view in app.screen.query(LineView) for line in view.lines]


def test_lights_come_with_their_fixes(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "✗ hub model: The hub cannot be reached." in text
        assert "→ Check the network and HF_ENDPOINT." in text
        assert ("✗ hub model: ", "bad") in {span for line in spans(app) for span in line}
        assert "of 22.0 GiB" in text
        await pilot.press("shift+tab", "shift+tab", "shift+tab")  # from the profiles to the lights, the other way round
        await settled(app, "✓ driver: Driver 580.65.06")
        await pilot.press("end", "up")
        await settled(app, "✓ disk: 64.0 GiB free.")

    shown(old_run, Machine(), check, shows="1 red, 1 amber")


def test_checks_that_fail_or_hang_harm_nothing(old_run: RunDirectory) -> None:
    def fail() -> None:
        raise KeyError("nonsense")

    async def check_failed(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert "The checks failed: KeyError" in text_of(app)
        await pilot.press("s")
        await settled(app, "Start small?")

    shown(old_run, Machine(fail), check_failed, shows="not known")
    never = threading.Event()

    async def check_hanging(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert "Looking at this machine" in text_of(app)
        await pilot.press("s")
        await settled(app, "Start small?")
        never.set()

    shown(old_run, Machine(lambda: never.wait(20) and None), check_hanging, shows="of 22.0 GiB")


def test_the_forecast_moves_as_one_types(old_run: RunDirectory) -> None:
    machine = Machine()

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"data.batch", "enter", "enter", "ctrl+u", "8")
        await settled(app, "micro-batch 8 x 16")
        assert machine.foreseen[-1].data.batch_size == 8
        assert all(config.data.batch_size == 1 for config in machine.checked)
        await pilot.press("escape")
        await settled(app, "micro-batch 1 x 16")
        await pilot.press("enter", "ctrl+u")
        app.post_message(events.Paste("4\n"))
        await settled(app, "micro-batch 4 x 16")
        await pilot.press("enter")
        await settled(app, "--set data.batch_size=4")
        await pilot.press("R", "y")
        await settled(app, "nothing")

    shown(old_run, machine, check)


def test_what_was_changed_is_kept_while_one_looks_elsewhere(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"fit", "enter", "space", "enter")
        await settled(app, "--set sft.fit=auto")
        await pilot.press("2")
        await settled(app, old_run.run_id)
        await pilot.press("1")
        await settled(app, "--set sft.fit=auto")
        await pilot.press("up")  # the profiles: another one has its own changes
        await settled(app, "--profile demo_aya")
        assert "--set sft" not in text_of(app)

    shown(old_run, Machine(), check)


def test_a_profile_that_goes_or_breaks_while_it_is_shown(old_run: RunDirectory, project: Path) -> None:
    profile = project / "profiles" / "small.toml"

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await settled(app, "of small")
        profile.write_text('family = "aya"\n[sft]\nlr = "x"\n', encoding="utf-8")
        await pilot.press("escape", "u")
        await settled(app, "small cannot be used:")
        await pilot.press("s", "e", "a", "w", "c", "r", "slash")
        await settled(app, "small cannot be used:")
        profile.unlink()
        await pilot.press("u")
        await settled(app, "--profile aya_basic")

    shown(old_run, Machine(), check)


def test_other_sizes_and_colours(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        for size in ((60, 18), (200, 60), (80, 24)):
            await resized(app, pilot, size, "--profile small")
        await pilot.press("t")
        await settled(app, "Colours: light")
        style = app.screen.query_one(LineView).render_line(0)
        grounds = {segment.style.bgcolor.name for segment in style if segment.style and segment.style.bgcolor}
        assert "#eceef0" in grounds

    shown(old_run, Machine(), check)
