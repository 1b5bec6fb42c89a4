"""Screens of the console as drawings: opened without a terminal, led there by keys, drawn once they have settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from inft_tui.app import ConsoleApp
from inft_tui.display.capabilities import Capabilities, Glyphs, ThemeName
from inft_tui.display.plain_text import to_ascii
from inft_tui.keys import Keymap
from inft_tui.pictures import picture_of
from inft_tui.widgets.chart_grid import ChartGrid
from inft_tui.widgets.picture_view import PictureView

PATIENCE_S = 15.0
LOOK_S = 0.01
_STILL = 3
"""Looks at which nothing changed."""


@dataclass(frozen=True)
class Scene:
    """A screen as it is to be drawn.

    Attributes:
        name: of the file.
        keys: that lead to it from the runs, as Textual calls them.
        shows: what stands on it when it is there.
        prepare: what is done to the console before the keys.
        attach: what to open the console on, below the folder of runs; empty = the runs.
        shows_if_large: what else stands on it where there are 30 rows or more.
    """

    name: str
    keys: tuple[str, ...] = ()
    shows: str = ""
    prepare: Callable[[ConsoleApp], None] | None = None
    attach: str = ""
    shows_if_large: str = ""

    def shown_at(self, size: tuple[int, int]) -> tuple[str, ...]:
        """What stands on it in a window of so many columns and rows."""
        return (self.shows, self.shows_if_large) if size[1] >= 30 else (self.shows,)


def capabilities(theme: ThemeName = "dark", glyphs: Glyphs = "braille") -> Capabilities:
    """A terminal of full colour; one that shows ASCII only has no colours either."""
    plain = glyphs == "ascii"
    return Capabilities(
        can_draw=True,
        colours="none" if plain else "truecolor",
        glyphs=glyphs,
        unicode=not plain,
        theme=theme,
        refresh_s=0.05,
        synchronises=False,
    )


@asynccontextmanager
async def scene_of(
    scene: Scene, logs_dir: Path, of: Capabilities, size: tuple[int, int]
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """The console where the scene is shown."""
    attach = logs_dir / scene.attach if scene.attach else None
    app = ConsoleApp(of, Keymap(), logs_dir, attach=attach)
    async with app.run_test(size=size) as pilot:
        await settled(app, "inft")
        if scene.prepare is not None:
            scene.prepare(app)
        for key in scene.keys:
            await pilot.press(key)
            await settled(app, "inft")
        await settled(app, *scene.shown_at(size))
        yield app, pilot


async def settled(app: ConsoleApp, *shows: str) -> None:
    """Waits until the runs are read, the text is there, and nothing changes any more."""
    end = time.monotonic() + PATIENCE_S
    before, still = "", 0
    while still < _STILL:
        drained = asyncio.Event()
        app.worker.ask(lambda: None, lambda _, drained=drained: drained.set())  # type: ignore[misc]
        await drained.wait()
        await asyncio.sleep(LOOK_S)
        text = text_of(app)
        is_there = app.snapshot.done and not _is_drawing(app) and all(map(text.__contains__, shows))
        still = still + 1 if text == before and is_there else 0
        before = text
        assert time.monotonic() < end, f"{shows} did not come; the screen:\n{text}"


def text_of(app: ConsoleApp) -> str:
    """What the screen shows."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def drawn(app: ConsoleApp, name: str) -> str:
    """The screen as SVG."""
    of = app.capabilities
    svg = picture_of(app.screen, f"inft-tui: {name}", dark=of.theme != "light")
    return svg if of.unicode else to_ascii(svg)


def _is_drawing(app: ConsoleApp) -> bool:
    """Whether charts are yet to be drawn, which happens in pieces, or photographs, which are decoded beside it."""
    waits = any(view._is_waiting for view in app.screen.query(PictureView) if view.display)
    return waits or any(grid._is_at_work for grid in app.screen.query(ChartGrid))


async def resized(app: ConsoleApp, pilot: Pilot[None], size: tuple[int, int], *shows: str) -> None:
    """The window changes."""
    await pilot.resize_terminal(*size)
    await settled(app, *shows)


def differences(old: str, new: str, most: int = 12) -> Sequence[str]:
    """Rows of two drawings that differ."""
    import difflib

    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "stored", "now", lineterm="", n=0)
    return [line[:400] for line, _ in zip(lines, range(most), strict=False)]
