"""The Launch screen with a machine that always answers the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from inft.readiness.check import red
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.app import ConsoleApp
from inft_tui.display.spans import Line
from inft_tui.widgets.line_view import LineView
from tests.inft_tui.launch.machine import CHECKS, Machine
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.pty.conftest import live_run, old_run
from tests.runs.conftest import config, project
from tests.runs.pretend import write_status

__all__ = ["config", "live_run", "old_run", "project"]

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
        await settled(app, "--profile fast_aya")
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


TAKEN = red("output folders", "Run x-1 writes to /some/where/best, and a second one is refused.", "Name other folders.")


class Started:
    """In the place of what starts runs: keeps the commands, and answers when it is asked to."""

    def __init__(self, app: ConsoleApp) -> None:
        self.commands: list[list[str]] = []
        self.answer: list[tuple[Callable[[str], None], Callable[[str], None] | None]] = []
        app.deeds.start = self._start  # type: ignore[method-assign]

    def _start(
        self,
        words: Sequence[str],
        name: str,
        ended: Callable[[str], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self.commands.append(list(words))
        self.answer.append((ended, refused))


def test_what_is_started_is_the_command_that_is_shown(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        started = Started(app)
        assert "--force" not in text_of(app)
        await pilot.press("s")
        await settled(app, "Not ready: hub model. Start small with --force?")
        assert "  inft-tui --headless --detach --force --profile small" in text_of(app)
        assert text_of(app).count("→ Check the network and HF_ENDPOINT.") == 2
        await pilot.press("n")
        await settled(app, "Ready?")
        assert "--force" not in text_of(app)
        await pilot.press("s", "s", "y", "s", "y")  # twice: it is one run
        await settled(app, "A start is under way")
        assert "  inft-tui --headless --detach --force --profile small" in text_of(app)
        assert started.commands == [["inft-tui", "--headless", "--detach", "--force", "--profile", "small"]]

    shown(old_run, Machine(), check, shows="1 red, 1 amber")


def test_a_refusal_is_there_in_full_until_something_is_changed(old_run: RunDirectory) -> None:
    words = "Run x-1 has been writing to /a/rather/long/path/to/a/folder/of/runs/best since 2025-03-01T12:00:00Z."

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        started = Started(app)
        await pilot.press("s", "y")
        ended, refused = started.answer[0]
        assert refused is not None
        refused(f"{words}\n  Stop it with `inft-tui stop x-1`.\n")
        ended("")
        for size in ((80, 24), (60, 18)):
            await resized(app, pilot, size, "small was not started")
            flat = " ".join(line.strip() for line in text_of(app).splitlines())
            assert words in flat
            assert "Stop it with `inft-tui stop x-1`." in flat
        await pilot.press("tab")
        await settled(app, "Stop it with")
        await pilot.press("shift+tab", "up")
        await settled(app, "--profile fast_aya")
        assert "Stop it with" not in text_of(app)
        await pilot.press("s", "y")
        assert len(started.commands) == 2

    shown(old_run, Machine(checks=CHECKS[:1]), check, shows="ready", size=(120, 36))


def test_a_folder_that_is_taken_refuses_the_start_for_as_long_as_it_is(old_run: RunDirectory) -> None:
    machine = Machine(checks=(*CHECKS, TAKEN))

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        started = Started(app)
        await pilot.press("s", "y")
        await settled(app, "small cannot be started now")
        assert "→ Name other folders." in text_of(app)
        assert started.commands == []
        machine.checks = CHECKS[:1]
        await pilot.press("u")
        await settled(app, "Ready?  ready ")
        assert "cannot be started" not in text_of(app)

    shown(old_run, machine, check, shows="2 red, 1 amber", size=(60, 18))


def test_it_looks_again_when_a_run_begins_or_ends_and_when_one_comes_back(
    old_run: RunDirectory, live_run: RunDirectory
) -> None:
    machine = Machine(checks=CHECKS[:1])

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await settled(app, "Ready?  ready ")
        machine.checks = (*CHECKS[:1], TAKEN)
        await pilot.press("2")
        await settled(app, live_run.run_id)
        await pilot.press("1")
        await settled(app, "1 red ")
        machine.checks = CHECKS[:1]
        write_status(live_run, Status("finished", step=120, max_steps=120, exit_code=0))
        await settled(app, "Ready?  ready ")

    shown(old_run, machine, check)


def test_a_name_that_is_refused_can_be_mended(old_run: RunDirectory, project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("w", *"a/b", "enter", "R")
        await settled(app, "a/bR")
        flat = " ".join(line.strip() for line in text_of(app).splitlines())
        assert "It has at most 80 letters, digits, '.', '_' and '-', and begins with a letter or digit." in flat
        await pilot.press("enter")
        await settled(app, '"a/bR" cannot be the name')
        await pilot.press("backspace", "backspace", "backspace", "q", "enter")
        await settled(app, "Saved as aq, which is chosen now.")
        assert (project / "profiles" / "aq.toml").exists()
        assert "Not saved" not in text_of(app)

    shown(old_run, Machine(), check, size=(60, 18))


def test_the_footer_shows_only_keys_that_mean_something_now(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        def footer() -> str:
            return text_of(app).split("\n")[-1]

        assert "u check" in footer()
        await pilot.press("slash", "l", "r")
        await settled(app, "with “lr”")
        assert footer().split() == ["Enter", "done", "Esc", "leave", "it"]
        await pilot.press("enter", "enter", "9")
        await settled(app, "9▏")
        assert footer().split() == ["Enter", "done", "Esc", "leave", "it"]
        await pilot.press("escape", "s")
        await settled(app, "Start small")
        assert footer().strip() == ""
        await pilot.press("n")
        await settled(app, "s start")

    shown(old_run, Machine(), check)


def test_a_run_that_begins_while_one_types_takes_no_key(old_run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        told: list[Callable[[str], None]] = []
        app.deeds.start = lambda words, name, ended, refused: told.append(ended)  # type: ignore[method-assign]
        await pilot.press("s", "y", "slash", "l")
        told[0](old_run.run_id)
        await pilot.press("r")
        await settled(app, "Find parameters with  lr")
        assert app.place().place == "launch"
        await pilot.press("enter")
        await settled(app, f"Started {old_run.run_id}. 3 shows it.")
        assert app.subjects.chosen == old_run.path

    shown(old_run, Machine(), check)
