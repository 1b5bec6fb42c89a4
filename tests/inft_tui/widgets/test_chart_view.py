"""The chart on a screen of Textual's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from inspect import getmembers

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from inft_tui.charts.chart import Content
from inft_tui.charts.figure import STYLES
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.series import Series
from inft_tui.display.palette import palette_for
from inft_tui.widgets.chart_view import ChartView, styles_of

DARK = palette_for("dark", "truecolor")
ACTIONS = (
    "cursor_left", "cursor_right", "cursor_far_left", "cursor_far_right", "hide_cursor", "zoom_in", "zoom_out",
    "pan_left", "pan_right", "toggle_follow", "toggle_log_x", "toggle_log_y", "cycle_smoothing", "cycle_axis",
)  # fmt: skip


class Screenful(App[None]):
    """Nothing but one chart."""

    def __init__(self, view: ChartView) -> None:
        super().__init__()
        self.view = view

    def compose(self) -> ComposeResult:
        yield self.view


def shown(check: Callable[[ChartView], Awaitable[None]], size: tuple[int, int] = (60, 14)) -> None:
    """Opens a chart on a screen, and lets `check` look at it."""

    async def run() -> None:
        view = ChartView(DARK, Glyphs.BRAILLE)
        async with Screenful(view).run_test(size=size) as pilot:
            await pilot.pause()
            await check(view)

    asyncio.run(run())


def loss_of(points: int) -> Series:
    series = Series("loss")
    for step in range(points):
        series.append(step, 1 + 2 * math.exp(-step / 300) + 0.1 * math.sin(step))
    return series


def lines(view: ChartView) -> list[str]:
    return [view.render_line(row).text for row in range(view.size.height)]


def test_it_fills_the_widget_with_the_picture() -> None:
    async def check(view: ChartView) -> None:
        view.show(Content("loss", {"loss": loss_of(1000)}, end=2000))
        found = lines(view)
        assert found[0].startswith("loss  ")
        assert found[-1].endswith("step")
        assert {len(line) for line in found} == {60}

    shown(check)


def test_a_new_point_refreshes_a_few_cells_and_nothing_new_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(view: ChartView) -> None:
        series = loss_of(1000)
        view.show(Content("loss", {"loss": series}, end=2000))
        lines(view)
        refreshed: list[tuple[Region, ...]] = []
        monkeypatch.setattr(view, "refresh", lambda *regions, **_: refreshed.append(regions))
        view.points_added()
        assert refreshed == []
        series.append(1000, 1.2)
        view.points_added()
        assert len(refreshed) == 1
        assert refreshed[0], "no region stands for the whole widget"
        assert sum(region.area for region in refreshed[0]) <= 20
        assert lines(view)[0].startswith("loss  1.2 ")

    shown(check)


def test_every_segment_has_a_style_as_long_as_no_color_is_obeyed() -> None:
    async def check(view: ChartView) -> None:
        for name in ("dark", "light", "colour-blind"):
            for colours in ("none", "16", "256", "truecolor"):
                view.recolour(palette_for(name, colours), Glyphs.ASCII)
                view.show(Content("loss", {"loss": loss_of(300)}))
                strips = [view.render_line(row) for row in range(view.size.height + 1)]
                assert all(segment.style is not None for strip in strips for segment in strip)

    shown(check)


@pytest.mark.parametrize("colours", ["none", "16", "truecolor"])
def test_every_style_of_a_figure_is_known_and_an_envelope_recedes(colours: str) -> None:
    found = styles_of(palette_for("dark", colours))
    assert set(found) == set(STYLES)
    assert all(found[f"band-{place}"] != found[f"line-{place}"] for place in range(8))


@pytest.mark.parametrize("size", [(8, 3), (60, 18), (80, 24), (1, 1)])
def test_any_size_and_any_change_of_size(size: tuple[int, int]) -> None:
    async def check(view: ChartView) -> None:
        view.show(Content("loss", {"loss": loss_of(300)}))
        assert {len(line) for line in lines(view)} == {size[0]}

    shown(check, size)


def test_every_action_works_and_redraws() -> None:
    async def check(view: ChartView) -> None:
        view.show(Content("loss", {"loss": loss_of(300)}))
        for action in (*ACTIONS, *reversed(ACTIONS)):
            await view.run_action(action)
            assert {len(line) for line in lines(view)} == {60}
        assert {name for name, _ in getmembers(ChartView) if name.startswith("action_")} >= {
            f"action_{a}" for a in ACTIONS
        }

    shown(check)


def test_a_long_curve_is_smoothed_while_other_things_are_done() -> None:
    async def check(view: ChartView) -> None:
        view.show(Content("loss", {"loss": loss_of(200_000)}))
        assert view.chart.is_behind
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not view.chart.is_behind:
                break
        assert not view.chart.is_behind
        assert "~" in lines(view)[0]

    shown(check)
