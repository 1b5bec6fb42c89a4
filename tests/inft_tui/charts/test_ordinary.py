"""A value axis that shows what a curve does, and not its wildest moment."""

from __future__ import annotations

import math
import random

import pytest

from inft_tui.charts.chart import Chart, Content
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.ordinary import Ordinary
from inft_tui.charts.series import Series


def series_of(values: list[float]) -> Series:
    series = Series("loss")
    series.extend(range(len(values)), values)
    return series


def noisy(count: int) -> list[float]:
    luck = random.Random(1)
    return [1 + luck.gauss(0, 0.1) for _ in range(count)]


def between(values: list[float]) -> tuple[float, float]:
    return Ordinary(series_of(values)).between(0, len(values))


@pytest.mark.parametrize("count", [100, 3000, 20_000])
@pytest.mark.parametrize("wild", [500.0, -500.0])
def test_one_wild_value_is_left_out(count: int, wild: float) -> None:
    values = noisy(count)
    values[count // 3] = wild
    low, high = between(values)
    assert -1 < low < high < 3


@pytest.mark.parametrize(
    "values",
    [
        noisy(500),
        [12 * math.exp(-step / 100) + 0.3 for step in range(500)],
        [1.0] * 200 + [5.0] + [1.0] * 200,
        [1.0] * 300 + [40.0] * 100,
        [1.0, 2.0, 900.0],
        [*noisy(400), math.nan, math.inf],
    ],
    ids=["noise", "a falling loss", "a constant and a spike", "a jump that lasts", "few values", "not finite"],
)
def test_what_a_curve_does_is_shown_in_full(values: list[float]) -> None:
    finite = [value for value in values if math.isfinite(value)]
    assert between(values) == (min(finite), max(finite))


def test_it_follows_a_curve_that_grows() -> None:
    series = series_of([])
    ordinary = Ordinary(series)
    for step, value in enumerate([*noisy(300), *(1 + step / 10 for step in range(300))]):
        series.append(step, value)
        low, high = ordinary.between(0, step + 1)
        assert low <= series.y[-1] <= high, step
    series.truncate_from(100)
    assert ordinary.between(0, 100)[1] < 2


def test_a_chart_marks_what_is_outside_and_shows_it_on_demand() -> None:
    values = noisy(300)
    values[100] = 900.0
    chart = Chart(Glyphs.ASCII)
    chart.resize(80, 16)
    chart.show(Content("loss", {"loss": series_of(values)}, smooth=False))
    assert chart.viewport is not None
    assert chart.viewport.y1 < 3
    text = ["".join(cell.char for cell in row) for row in chart.rows]
    assert "^" in text[1]
    assert "values outside" in text[0]
    chart.toggle_whole_range()
    assert chart.viewport.y1 >= 900
    assert "outside" not in "".join(cell.char for cell in chart.rows[0])
