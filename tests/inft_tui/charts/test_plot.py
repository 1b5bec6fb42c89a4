"""Curves as pictures, and what must hold for every picture."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import pytest

from inft_tui.charts.axis import Along
from inft_tui.charts.cells import Cell
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.plot import Curve, Plot, Viewport
from inft_tui.charts.series import Series
from inft_tui.charts.smoothing import Smoothed
from tests.inft_tui.charts.drawing import picture, series_of, styles

SAW = series_of([0, 1, 2, 3, 2, 1, 0, 1, 2, 3])
NOISE = series_of([1, 3] * 20 + [0, 4] * 20)
GAPS = series_of([1, 1, 1, math.nan, math.nan, 1, 1, math.inf, 2, 2, math.nan, 2])


def draw(
    curves: Sequence[Curve], viewport: Viewport, width: int, height: int, glyphs: Glyphs = Glyphs.BRAILLE
) -> list[list[Cell]]:
    """The rows of cells of a plot that is drawn once."""
    return Plot(curves, viewport, width, height, glyphs).rows


def smoothed(series: Series, weight: float = 0.5) -> Smoothed:
    found = Smoothed(series, weight)
    found.advance(len(series))
    return found


@pytest.mark.parametrize(
    ("glyphs", "expected"),
    [
        (Glyphs.BRAILLE, ["  ⢠⢣     ⡜", " ⢀⠇ ⢣   ⡸ ", " ⡎   ⢣ ⢰⠁ ", "⡜     ⢣⠃  "]),
        (Glyphs.BLOCKS, ["   █     █", "  █ █   █ ", " █   █ █  ", "█     █   "]),
        (Glyphs.ASCII, ["   *     *", "  * *   * ", " *   * *  ", "*     *   "]),
    ],
)
def test_a_curve(glyphs: Glyphs, expected: list[str]) -> None:
    assert picture(draw([Curve(SAW)], Viewport(0, 9, 0, 3), 10, 4, glyphs)) == expected


@pytest.mark.parametrize(
    ("glyphs", "expected"),
    [
        (Glyphs.BRAILLE, ["     ⣿⣿⣿⣿⣿", "⠤⠤⠤⠤⠤⠒⠒⠒⠒⠒", "⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿", "     ⣿⣿⣿⣿⣿"]),
        (Glyphs.BLOCKS, ["     ░░░░░", "▄▄▄▄▄▀▀▀▀▀", "░░░░░░░░░░", "     ░░░░░"]),
        (Glyphs.ASCII, ["     :::::", "**********", "::::::::::", "     :::::"]),
    ],
)
def test_a_smoothed_curve_lies_over_its_envelope(glyphs: Glyphs, expected: list[str]) -> None:
    rows = draw([Curve(NOISE, 0, smoothed(NOISE))], Viewport(0, 79, 0, 4), 10, 4, glyphs)
    assert picture(rows) == expected
    assert styles(rows, 1) == ["line-0"] * 10
    assert styles(rows, 0) == ["blank"] * 5 + ["band-0"] * 5


@pytest.mark.parametrize(("glyphs", "middle"), [(Glyphs.ASCII, "***  ** ** *"), (Glyphs.BRAILLE, "⣀⣀⡀  ⣀⣀ ⠈⠉ ⠈")])
def test_gaps_are_not_bridged_and_are_told(glyphs: Glyphs, middle: str) -> None:
    plot = Plot([Curve(GAPS)], Viewport(0, 11, 0, 3), 12, 3, glyphs)
    assert picture(plot.rows)[1] == middle
    assert plot.gaps == {3, 4, 7, 10}


def test_few_points_are_marked_one_by_one() -> None:
    rows = draw([Curve(series_of([0, 3, 0], [0, 5, 10]), 1)], Viewport(0, 10, 0, 3), 12, 3)
    assert picture(rows) == ["    ⢀⠔•⢄    ", "  ⡠⠔⠁   ⠑⢄  ", "•⠊        ⠑•"]


def test_a_curve_comes_in_from_beyond_the_edges_and_leaves_there() -> None:
    line = series_of([0, 30], [0, 30])
    assert picture(draw([Curve(line)], Viewport(10, 20, 10, 20), 6, 6, Glyphs.ASCII)) == [
        "     *",
        "    * ",
        "   *  ",
        "  *   ",
        " *    ",
        "*     ",
    ]


def test_on_a_logarithmic_axis_what_is_not_above_0_has_no_place() -> None:
    series = series_of([1, 10, 100, 0, -5, 100, 10])
    plot = Plot([Curve(series)], Viewport(0, 6, 1, 100, log_y=True), 7, 3, Glyphs.ASCII)
    assert picture(plot.rows) == ["  *  * ", " *    *", "*      "]
    assert plot.gaps == {3, 4}
    doubling = series_of([0, 1, 2, 3, 4], [1, 2, 4, 8, 16])
    rows = draw([Curve(doubling)], Viewport(1, 16, 0, 4, log_x=True), 5, 5, Glyphs.ASCII)
    assert picture(rows) == ["    *", "   * ", "  *  ", " *   ", "*    "]


def test_an_axis_that_counts_something_else() -> None:
    clock = series_of([0, 100, 110], [0, 1, 2])
    rows = draw([Curve(series_of([0, 1, 2]), axis=Along(clock))], Viewport(0, 110, 0, 2), 11, 3, Glyphs.ASCII)
    assert picture(rows)[0].strip() == "*"
    assert picture(rows)[0][10] == "*"
    assert picture(rows)[1][9] == "*"


def random_curve(chance: random.Random, points: int) -> Series:
    series, x = Series("loss"), 0.0
    for _ in range(points):
        x += chance.choice((0, 1, 1, 5))
        series.append(x, chance.choice((math.nan, *[chance.gauss(0, 1)] * 9)))
    return series


@pytest.mark.parametrize("seed", range(40))
def test_every_finite_point_of_the_window_lies_in_a_dot_that_is_set(seed: int) -> None:
    chance = random.Random(seed)
    series = random_curve(chance, chance.choice((1, 5, 50, 3000)))
    end = max(1.0, series.x[-1])
    start = chance.uniform(0, end / 2)
    view = Viewport(start, start + chance.uniform(0.1, 1) * end, -4, 4)
    width, height = chance.randint(1, 40), chance.randint(1, 12)
    plot = Plot([Curve(series)], view, width, height, Glyphs.BRAILLE)
    edges = view.edges(2 * width)
    bits = Glyphs.BRAILLE.value.bits
    for x, y in zip(series.x, series.y, strict=True):
        if view.x0 <= x <= view.x1 and math.isfinite(y) and abs(y) <= 4:
            across = bisect_right(edges, x) - 1
            down = math.floor((4 - y) / 8 * (4 * height - 1) + 0.5)
            char = plot.rows[down // 4][across // 2].char
            assert char == "•" or ord(char) - 0x2800 & bits[across % 2][down % 4]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("glyphs", Glyphs)
def test_a_plot_that_grows_is_the_plot_of_all_points(seed: int, glyphs: Glyphs) -> None:
    chance = random.Random(seed)
    dense, sparse, clock = random_curve(chance, 30), random_curve(chance, 2), Series("elapsed")
    mean = Smoothed(dense, 0.9)
    view = Viewport(0, 300 if seed % 2 else 900, -3, 3)
    axis = Along(clock) if seed % 3 == 0 else Along(Series("none"))
    curves = [Curve(dense, 0, mean, axis), Curve(sparse, 1, None, axis)]
    plot = Plot(curves, view, 17, 5, glyphs)
    for _ in range(25):
        before = [row[:] for row in plot.rows]
        for series in (dense, sparse):
            for _ in range(chance.choice((0, 0, 1, 7))):
                x = (series.x[-1] if series.x else 0) + chance.choice((0, 1, 4))
                series.append(x, chance.choice((math.nan, chance.gauss(0, 1), chance.gauss(0, 1))))
                clock.append(max(x, clock.x[-1] if clock.x else 0), x * 2)
        if chance.random() < 0.1:
            dense.truncate_from(chance.uniform(0, dense.x[-1] if dense.x else 1))
        mean.advance(chance.choice((0, 3, 1000)))
        changed = plot.grow()
        fresh = Plot([replace(curve) for curve in curves], view, 17, 5, glyphs)
        assert picture(plot.rows) == picture(fresh.rows)
        assert plot.rows == fresh.rows
        assert plot.gaps == fresh.gaps
        differing = {c for old, new in zip(before, plot.rows, strict=True) for c in range(17) if old[c] != new[c]}
        assert differing <= set(changed)


def test_a_new_point_touches_two_columns_at_most() -> None:
    series = series_of([float(n % 7) for n in range(1000)])
    plot = Plot([Curve(series)], Viewport(0, 2000, 0, 7), 100, 10)
    assert len(plot.grow()) == 0
    series.append(1000, 3.0)
    assert plot.grow() == range(49, 51)
