"""Whole charts as pictures, at sizes from a large window down to one cell."""

from __future__ import annotations

import math

import pytest

from inft_tui.charts.figure import STYLES, Figure
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.plot import Curve
from inft_tui.charts.shown import Shown
from inft_tui.charts.smoothing import Smoothed
from inft_tui.charts.view import View
from tests.inft_tui.charts.drawing import Mark, picture, series_of, styles

FALLING = series_of([4 * math.exp(-step / 20) for step in range(70)])
MARKS = [Mark("evaluation", 20), Mark("checkpoint", 40, "saved"), Mark("alert", 50), Mark("seam", 30)]
SHOWN = Shown("loss", [("loss", Curve(FALLING))], marks=MARKS, end=100)


@pytest.mark.parametrize(
    ("glyphs", "expected"),
    [
        (
            Glyphs.BRAILLE,
            [
                "loss  0.127                                 ",
                "    4┤⢣┈┈┈┈┈┈┈┈┈┈┊┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈",
                "     │ ⠱⡀        ┊                          ",
                "     │  ⠈⢆⡀      ┊                          ",
                "    2┤┈┈┈┈⠘⠤⡀┈┈┈┈┊┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈",
                "     │      ⠈⠲⠤⣀ ┊                          ",
                "     │         ⠈⠉⠒⠤⢄⣀⡀                      ",
                "    0┤┈┈┈┈┈┈┈┈┈┈┈┊┈┈┈⠈⠉⠉⠒⠒⠒⠒⠤⠤⠤⠤⠄┈┈┈┈┈┈┈┈┈┈┈",
                "     └┬──────▴───┊───◆───!──────────────────",
                "      0                 50              step",
            ],
        ),
        (
            Glyphs.BLOCKS,
            [
                "loss  0.127                                 ",
                "    4┤█··········│··························",
                "     │ █▄        │                          ",
                "     │  ▀█▄      │                          ",
                "    2┤····▀▄▄····│··························",
                "     │      ▀▀▄▄ │                          ",
                "     │          ▀▀█▄▄▄▄                     ",
                "    0┤···········│····▀▀▀▀▀▀▀▀▀▄▄···········",
                "     └┬──────▲───│───♦───!──────────────────",
                "      0                 50              step",
            ],
        ),
        (
            Glyphs.ASCII,
            [
                "loss  0.127                                 ",
                "    4+*          |                          ",
                "     |**         |                          ",
                "     |  **       |                          ",
                "    2+    ***    |                          ",
                "     |      *****|                          ",
                "     |          *********                   ",
                "    0+           |       ********           ",
                "     ++------^---|---C---!------------------",
                "      0                 50              step",
            ],
        ),
    ],
)
def test_a_chart(glyphs: Glyphs, expected: list[str]) -> None:
    figure = Figure(SHOWN, View(), 44, 10, glyphs)
    assert picture(figure.rows) == expected
    assert all(char.isascii() for row in picture(figure.rows) for char in row) == (glyphs is Glyphs.ASCII)


@pytest.mark.parametrize("height", range(3, 14))
@pytest.mark.parametrize(
    ("values", "widest"),
    [
        ([1 + 2.5 * 0.99**step for step in range(300)], 3.0),
        ([2e-4 * min(1, step / 50) * (1 - step / 900) for step in range(800)], 2.5e-4),
        ([68.1 + step % 7 / 50 for step in range(300)], 0.9),
        ([4.6 + step % 5 / 10 for step in range(300)], 0.7),
        ([5500 + 40 * (step % 9) for step in range(300)], 500),
        ([2.2 + step % 5 / 16 for step in range(300)], 0.4),
        ([0.3, 7.0, 19.0], 25.0),
    ],
)
def test_a_low_chart_is_filled_and_its_value_axis_can_be_read(values: list[float], widest: float, height: int) -> None:
    figure = Figure(Shown("x", [("x", Curve(series_of(values)))]), View(), 40, height, Glyphs.ASCII)
    viewport = figure.viewport
    assert viewport is not None
    assert viewport.y1 - viewport.y0 <= widest
    rows = [row[: len(row) - figure.plot_width] for row in picture(figure.rows)[1:]]
    labelled = [place for place, row in enumerate(rows) if row.endswith("+") and row.strip("+ ")]
    plot = sum(row.endswith(("+", "|")) and "++" not in row for row in rows)
    assert len(labelled) >= 2
    if len(labelled) == 2:
        assert labelled[0] <= plot / 4
        assert labelled[1] >= plot - 1 - plot / 4


def test_the_cursor_reads_values_and_marks_out() -> None:
    figure = Figure(SHOWN, View(cursor=40.0), 44, 10, Glyphs.BRAILLE)
    assert picture(figure.rows)[0] == "loss  step 40  0.5413  saved                "
    assert picture(figure.rows)[1][21] == "│"
    assert styles(figure.rows, 1)[21] == "cursor"


def test_what_is_not_finite_is_marked_and_counted() -> None:
    series = series_of([1, 2, math.nan, math.inf, 2, 3])
    figure = Figure(Shown("loss", [("loss", Curve(series))]), View(), 40, 8, Glyphs.ASCII)
    assert picture(figure.rows)[0] == "loss  3                     2 not finite"
    assert picture(figure.rows)[-2].count("x") == 2
    small = Figure(Shown("loss", [("loss", Curve(series))]), View(), 8, 4, Glyphs.ASCII)
    assert picture(small.rows)[-1].count("x") == 2


def test_several_curves_are_named_in_their_colours() -> None:
    curves = [("loss", Curve(FALLING)), ("eval_loss", Curve(series_of([4, 1], [0, 60]), 1))]
    figure = Figure(Shown("loss", curves), View(), 40, 8, Glyphs.ASCII)
    assert picture(figure.rows)[0] == "loss  * 0.127  o eval_loss 1            "
    assert styles(figure.rows, 0)[17] == "line-1"


def test_the_smoothed_value_and_the_unit_stand_beside_the_last() -> None:
    smoothed = Smoothed(FALLING, 0.5)
    smoothed.advance(100)
    shown = Shown("memory", [("memory", Curve(FALLING, 0, smoothed))], "GiB", note="smoothed 0.5")
    assert picture(Figure(shown, View(), 38, 8, Glyphs.ASCII).rows)[0].strip() == "memory  0.127 GiB ~0.1338"
    assert picture(Figure(shown, View(), 100, 8, Glyphs.ASCII).rows)[0].endswith("  smoothed 0.5")
    assert picture(Figure(shown, View(), 20, 8, Glyphs.ASCII).rows)[0] == "memory              "


@pytest.mark.parametrize(
    ("values", "log", "reason"),
    [
        ([], False, "no values yet"),
        ([math.nan], False, "no finite value here"),
        ([-1.0, 0.0], True, "no value above 0 for a logarithmic axis"),
    ],
)
def test_why_there_is_nothing_to_see(values: list[float], log: bool, reason: str) -> None:
    figure = Figure(Shown("loss", [("loss", Curve(series_of(values)))]), View(log_y=log), 40, 9, Glyphs.ASCII)
    assert picture(figure.rows)[4].strip() == reason


@pytest.mark.parametrize("glyphs", Glyphs)
@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 300, [math.nan] * 3, [-1, 0, 1e300, math.nan, -1e-300]])
def test_every_size_is_filled_and_no_size_is_too_small(glyphs: Glyphs, values: list[float]) -> None:
    for width in (1, 2, 3, 8, 13, 23, 24, 25, 40, 160):
        for height in (1, 2, 3, 4, 5, 6, 7, 8, 45):
            for view in (View(), View(log_y=True), View(log_x=True), View(cursor=1.0)):
                figure = Figure(
                    Shown("loss", [("loss", Curve(series_of(values)))], "s", MARKS), view, width, height, glyphs
                )
                assert [len(row) for row in figure.rows] == [width] * height
                assert {cell.style for row in figure.rows for cell in row} <= set(STYLES)


def test_names_of_any_script_take_the_columns_that_they_take() -> None:
    shown = Shown("损失\x1b[31m", [("x", Curve(FALLING))])
    row = Figure(shown, View(), 30, 6, Glyphs.BRAILLE).rows[0]
    assert len(row) == 30
    assert "".join(cell.char for cell in row).startswith("损失?[31m  0.127")
    cut = Figure(Shown("损失损失损失", [("x", Curve(FALLING))]), View(), 12, 6, Glyphs.BRAILLE).rows[0]
    assert len(cut) == 12
    assert "".join(cell.char for cell in cut) == "损失…  0.127"
