"""Compares what a screen looks like with what it looked like: an SVG for three sizes and three kinds of terminal each.

`INFT_SNAPSHOTS=write pytest tests/inft_tui/test_snapshots.py` stores what there is now; look at the drawings before
they are committed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from inft_tui.screens.console_screen import ConsoleScreen
from tests.inft_tui.pictures import Scene, capabilities, differences, drawn, resized, scene_of, settled

SIZES = ((60, 18), (80, 24), (160, 45))  # the large one last: by then all is read
FOLDER = Path(__file__).with_name("snapshots")
WRITE = "INFT_SNAPSHOTS"


def check(scene: Scene, logs_dir: Path) -> None:
    """Fails where the scene looks other than it is stored."""
    drawings = asyncio.run(_drawings(scene, logs_dir))
    if os.environ.get(WRITE) == "write":
        FOLDER.mkdir(exist_ok=True)
        for name, drawing in drawings.items():
            (FOLDER / name).write_text(drawing, encoding="utf-8")
        return
    problems = list(_problems(drawings))
    assert not problems, "\n".join([*problems, f"If that is meant, run it again with {WRITE}=write, and look."])


async def _drawings(scene: Scene, logs_dir: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for glyphs in ("braille", "ascii"):
        of = capabilities(glyphs="ascii") if glyphs == "ascii" else capabilities()
        async with scene_of(scene, logs_dir, of, SIZES[0]) as (app, pilot):
            for place, size in enumerate(SIZES):
                if place:
                    await resized(app, pilot, size, *scene.shown_at(size))
                key = f"{size[0]}x{size[1]}.svg"
                if glyphs == "ascii":
                    found[f"{scene.name}-ascii-{key}"] = drawn(app, scene.name)
                    continue
                for theme in ("dark", "light"):
                    app.set_colours("light" if theme == "light" else "dark")
                    app.forget_notice()
                    assert isinstance(app.screen, ConsoleScreen)
                    app.screen.draw_bars()
                    await settled(app, *scene.shown_at(size))
                    found[f"{scene.name}-{theme}-{key}"] = drawn(app, scene.name)
    return found


def _problems(drawings: dict[str, str]) -> Iterator[str]:
    for name, drawing in drawings.items():
        path = FOLDER / name
        if not path.exists():
            yield f"{name} is not stored yet."
            continue
        stored = path.read_text(encoding="utf-8")
        if stored != drawing:
            yield f"{name} looks other than it did:"
            yield from differences(stored, drawing)
