"""Several charts in one widget."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App

from inft_tui.charts.chart import Content
from inft_tui.charts.glyphs import Glyphs
from inft_tui.display.palette import palette_for
from inft_tui.monitor.catalogue import Picture
from inft_tui.monitor.layout import grid_for
from inft_tui.widgets import chart_grid
from inft_tui.widgets.chart_grid import ChartGrid
from tests.inft_tui.charts.drawing import series_of

COUNT = 6
SIZE = (120, 24)


def test_charts_that_are_shown_again_before_they_are_drawn_do_not_stay_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Picture(f"{n}", Content(f"chart {n}", {"y": series_of([1.0, n + 2.0])})) for n in range(COUNT)]
    tiles = grid_for(*SIZE, COUNT).tiles(0, COUNT)

    async def run() -> None:
        app: App[None] = App()
        async with app.run_test(size=SIZE):
            grid = ChartGrid(palette_for("dark", "truecolor"), Glyphs.BRAILLE)
            await app.mount(grid)
            monkeypatch.setattr(chart_grid, "BUSY_S", 0.0)  # time for none of them
            grid.show(pictures, tiles, "0")
            for selected in ("0", "1", "0"):
                grid.show(pictures, tiles, selected)
            monkeypatch.undo()
            await asyncio.sleep(0.1)
            rows = "\n".join(grid.render_line(y).text for y in range(SIZE[1]))
            assert all(f"chart {n}  {n + 2}" in rows for n in range(COUNT))

    asyncio.run(run())
