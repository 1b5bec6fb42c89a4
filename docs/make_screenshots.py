"""Draws the README's pictures of the console: `python -m docs.make_screenshots`, from the project's folder.

Opens every screen on the same made-up runs and machine, and writes `docs/screens/<screen>.svg`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.inft_tui.demo_runs import demo_project
from tests.inft_tui.pictures import Scene, capabilities, drawn, scene_of
from tests.inft_tui.scenes import SCENES

SIZE = (120, 36)
FOLDER = Path(__file__).with_name("screens")


async def picture(scene: Scene, logs_dir: Path) -> str:
    """One screen as SVG."""
    async with scene_of(scene, logs_dir, capabilities(), SIZE) as (app, _):
        return drawn(app, scene.name)


def main() -> None:
    """Draws those that are asked for, else all."""
    parser = argparse.ArgumentParser(description="Draws the README's pictures of the console.")
    names = [scene.name for scene in SCENES]
    parser.add_argument("screens", nargs="*", metavar="SCREEN", help=f"of: {', '.join(names)}")
    wanted = parser.parse_args().screens
    for name in wanted:
        if name not in names:
            parser.error(f"There is no screen {name}.")
    folder = FOLDER.resolve()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, demo_project(Path(home)) as logs_dir:
        for scene in SCENES:
            if wanted and scene.name not in wanted:
                continue
            path = folder / f"{scene.name}.svg"
            path.write_text(asyncio.run(picture(scene, logs_dir)), encoding="utf-8")
            sys.stdout.write(f"{path.name}  {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
