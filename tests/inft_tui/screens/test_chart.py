"""The chart on the whole screen."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.app import ConsoleApp
from inft_tui.chart_files import saver
from inft_tui.charts.chart import Chart
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.view import Counted
from inft_tui.key_table import TABLE
from inft_tui.widgets.chart_keys import act_on_chart
from inft_tui.widgets.chart_view import ChartView
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, write_events, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None], Chart], Awaitable[None]]


@pytest.fixture
def run(project: Path, config: Config) -> RunDirectory:
    """A run of 200 steps with one wild loss."""
    made = new_run(config, "2025-03-01 12:00:00")
    steps = (
        {"event": "log", "global_step": step, "epoch": step / 100, "elapsed_sec": step * 2.0,
         "loss": 900.0 if step == 60 else 3 + step % 7 / 10, "grad_norm": 1.0}
        for step in range(1, 201)
    )  # fmt: skip
    write_events(made, *steps)
    write_status(made, Status("finished", step=200, max_steps=200, exit_code=0))
    return made


def shown(run: RunDirectory, check: Check) -> None:
    """Opens the loss, and lets `check` look at it."""

    async def look() -> None:
        scene = Scene("chart", ("enter",), "1 of 2", attach=run.run_id)
        async with scene_of(scene, run.path.parent, capabilities(), (120, 30)) as (app, pilot):
            await check(app, pilot, app.screen.query_one(ChartView).chart)

    asyncio.run(look())


def test_what_the_keys_do(run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None], chart: Chart) -> None:
        view = chart.view
        await pilot.press("left")
        assert view.cursor == 200
        await pilot.press("left", "shift+left")
        assert view.cursor is not None
        assert view.cursor < 190
        await pilot.press("plus")
        assert not view.follow
        whole = chart.viewport
        assert whole is not None
        await pilot.press("comma")
        assert chart.viewport is not None
        assert chart.viewport.x0 < whole.x0
        await pilot.press("f", "space")
        assert view.cursor is None
        assert chart.viewport.x0 == 0
        await pilot.press("x", "y", "m")
        assert (view.log_x, view.log_y, chart.weight) == (True, True, 0.98)
        await pilot.press("x", "y", "w")
        assert chart.viewport.y1 >= 900
        await pilot.press("a")
        assert view.counted is Counted.EPOCH
        await pilot.press("n")
        await settled(app, "2 of 2")
        await pilot.press("p")
        await settled(app, "1 of 2")

    shown(run, check)


def test_what_is_shown_is_saved_and_nothing_written_over(run: RunDirectory, project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None], chart: Chart) -> None:
        await pilot.press("c")
        folder = project / "outputs" / "charts"
        await settled(app, f"Saved {folder}"[:60])  # the project's folder may be too long for the rest of the name
        await pilot.press("plus", "c", "v", "f")
        await pilot.pause(0.2)
        whole, part = (
            list(csv.DictReader((folder / f"{run.run_id}-loss{number}.csv").open(encoding="utf-8")))
            for number in ("", "-2")
        )
        assert [float(row["value"]) for row in whole if row["step"] == "60"] == [900.0]
        assert len(whole) == 200 > len(part)
        assert (folder / f"{run.run_id}-loss.svg").read_text(encoding="utf-8").startswith("<svg")
        assert "values outside" in text_of(app)

    shown(run, check)


def test_what_cannot_be_saved_is_said(project: Path) -> None:
    (project / "outputs").write_text("in the way", encoding="utf-8")
    chart = Chart(Glyphs.BRAILLE)
    assert "no points" in saver(chart, "csv", "x")().text


def test_every_key_of_a_chart_means_something(run: RunDirectory) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None], chart: Chart) -> None:
        view = app.screen.query_one(ChartView)
        ids = [row.id for row in TABLE if row.where == "chart" and row.id not in _SCREENS_OWN]
        assert len(ids) == 17
        assert all(act_on_chart(app, view, name, "x") for name in ids)
        assert not act_on_chart(app, view, "chart.back", "x")

    shown(run, check)


_SCREENS_OWN = ("chart.back", "chart.next", "chart.previous")
