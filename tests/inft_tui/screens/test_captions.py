"""The Captions screen over samples on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from inft.config import Config
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger, Record
from inft_tui.app import ConsoleApp
from inft_tui.display.capabilities import Capabilities
from inft_tui.screens.captions import CaptionsScreen
from inft_tui.widgets.picture_view import PictureView
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, start_sleeper, working, write_events, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]
RED = "#d81212"


def sample(language: str, row: int, step: int, caption: str, failure: str | None = None) -> Record:
    return events.sample(
        language=language,
        reference_caption=f"The {language} corpus on row {row}",
        generated_caption=caption,
        global_step=step,
        row=row,
        picture=f"pictures/{row}.jpg",
        failure=failure,
    )


def write_samples(run: RunDirectory, *samples: Record) -> None:
    with JsonlLogger(run.samples) as log:
        for one in samples:
            log.write(one)


@pytest.fixture
def live(project: Path, config: Config) -> Iterator[RunDirectory]:
    """A run that goes on, with two evaluations behind it."""
    process, identity = start_sleeper()
    run = new_run(config, "2025-03-01 12:00:00")
    write_events(run, {"event": "log", "global_step": 200, "loss": 2.0})
    write_status(run, working(identity))
    (run.path / "pictures").mkdir()
    Image.new("RGB", (64, 36), RED).save(run.path / "pictures" / "1.jpg", "PNG")
    for step, word in ((100, "street"), (200, "road")):
        write_samples(
            run,
            *(sample("en", row, step, f"A {word} of row {row}") for row in (1, 2)),
            sample("ur", 7, step, "سڑک پر پانی"),
            sample("zh", 9, step, "", failure="the picture is damaged"),
        )
    yield run
    process.kill()
    process.wait()


def shown(
    run: Path,
    check: Check,
    *,
    size: tuple[int, int] = (100, 30),
    keys: tuple[str, ...] = ("7",),
    shows: str = "A road",
    of: Capabilities | None = None,
) -> None:
    """Opens the screen, and lets `check` look at it."""

    async def look() -> None:
        scene = Scene("captions", keys, shows, attach=run.name)
        async with scene_of(scene, run.parent, of or capabilities(), size) as (app, pilot):
            await check(app, pilot)

    asyncio.run(look())


def test_rows_by_language_and_one_of_them_with_what_changed(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        lines = text_of(app).splitlines()
        assert "4 rows in 3 languages · step 200" in lines[0]
        assert lines[2].startswith(" en ")
        assert lines[3].startswith("    ")
        assert "✗ the picture is damaged" in lines[5]
        assert "The en corpus on row 1" in text_of(app)
        assert "A street of row 1" in text_of(app), "the caption before"
        await pilot.press("left")
        await settled(app, "step 100   A street of row 1", "4 rows in 3 languages · step 100 · newest 200")
        await pilot.press("right", "tab")
        await settled(app, "The ur corpus on row 7")
        await pilot.press("shift+tab", "end")
        await settled(app, "no caption: the picture is", "The zh corpus on row 9")
        await pilot.press("tab", "down")
        await settled(app, "The en corpus on row 2")

    shown(live.path, check)


def test_it_keeps_up_with_the_run_but_not_with_a_caption_that_is_being_read(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        write_samples(live, sample("en", 1, 300, "A crossing of row 1"))
        await settled(app, "step 300   A crossing of row 1")
        await pilot.press("left")
        await settled(app, "step 200   A road of row 1")
        write_samples(live, sample("en", 1, 400, "A bridge of row 1"), sample("fr", 3, 400, "Une rue"))
        await settled(app, "4 captions", "Une rue", "5 rows in 4 languages · step 200 · newest 400")
        assert "step 200   A road of row 1" in text_of(app)

    shown(live.path, check)


def test_the_picture_is_shown_and_one_that_is_not_there_is_looked_for_again(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await settled(app)
        view = app.screen.query_one(PictureView)
        colours = {segment.style.bgcolor.name for segment in view._mosaic[1] if segment.style and segment.style.bgcolor}
        assert colours == {RED}
        await pilot.press("down")
        await settled(app, "No picture: there is no 2.jpg any more.")
        Image.new("RGB", (64, 36), RED).save(live.path / "pictures" / "2.jpg", "PNG")
        write_samples(live, sample("en", 2, 300, "A lane of row 2"))
        await settled(app, "A lane of row 2")
        assert view._mosaic

    shown(live.path, check)


def test_all_room_for_one_row_and_back(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("z")
        await settled(app, "The en corpus on row 1")
        assert "newest caption" not in text_of(app)
        await pilot.press("down", "escape")
        await settled(app, "newest caption", "The en corpus on row 2")
        assert isinstance(app.screen, CaptionsScreen)

    shown(live.path, check)


def test_monitor_leads_there_and_back(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, CaptionsScreen)
        await pilot.press("escape")
        await settled(app, "Monitor", "loss  2")

    shown(live.path, check, keys=("c",))


def test_a_run_without_samples_says_how_to_get_some(config: Config) -> None:
    run = new_run(config, "2025-03-01 12:00:00")

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = " ".join(text_of(app).split())
        for key in ("data.eval_fraction", "data.eval_split", "basic.eval_captions", "basic.sample_rows"):
            assert key in text
        footer = text_of(app).splitlines()[-1]
        assert "back" in footer
        assert "earlier" not in footer
        await pilot.press("down", "left", "tab", "z", "end", "J", "pagedown")
        write_samples(run, sample("en", 1, 100, "A first caption"))
        await settled(app, "A first caption")

    shown(run.path, check, shows="has sampled no captions.", size=(60, 18))


def test_another_programs_log_has_none(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"loss": 2, "step": 1}\n')

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "z")

    shown(tmp_path / "log.jsonl", check, shows="another program's log")


def test_any_size_will_do(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        for size in ((60, 18), (20, 5), (300, 100), (3, 3), (1, 1), (160, 45)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await resized(app, pilot, (60, 18), "The en corpus", "A road of row 1")

    shown(live.path, check)


def test_where_pictures_are_not_wanted_the_words_have_their_room(live: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        assert not app.screen.query_one(PictureView).display
        assert " corpus     The en corpus on row 1" in text_of(app).splitlines()

    shown(live.path, check, of=replace(capabilities(), pictures="none"))
