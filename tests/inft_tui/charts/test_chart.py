"""What a person does to a chart, and that whatever happens is told in cells."""

from __future__ import annotations

import csv
import io
import math
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence

import pytest

from inft_tui.charts.cells import Cell, Changed
from inft_tui.charts.chart import WEIGHTS, Chart, Content
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.scale import number
from inft_tui.charts.series import Series
from inft_tui.charts.smoothing import Smoothed
from inft_tui.charts.view import Counted
from tests.inft_tui.charts.drawing import Mark, picture, series_of


def a_chart(values: Sequence[float], end: float | None = None) -> Chart:
    chart = Chart(Glyphs.BRAILLE)
    chart.resize(60, 12)
    clocks = {
        Counted.EPOCH: series_of([n / 100 for n in range(len(values))]),
        Counted.TIME: series_of([n * 3.0 for n in range(len(values))]),
    }
    chart.show(Content("loss", {"loss": series_of(values)}, end=end, clocks=clocks))
    return chart


def title(chart: Chart) -> str:
    return picture(chart.rows)[0]


def put(screen: list[list[Cell]], chart: Chart, changes: Sequence[Changed]) -> None:
    """What a terminal does with what it is sent."""
    for row, start, stop in changes:
        screen[row][start:stop] = chart.rows[row][start:stop]


@pytest.mark.parametrize("seed", range(25))
def test_what_is_said_to_have_changed_makes_the_screen_right(seed: int) -> None:
    chance = random.Random(seed)
    loss, evaluated, clock = Series("loss"), Series("eval_loss"), Series("elapsed_sec")
    marks: list[Mark] = []
    chart = Chart(chance.choice(list(Glyphs)))
    chart.resize(chance.randint(8, 70), chance.randint(3, 20))
    chart.show(
        Content(
            "loss",
            {"loss": loss, "eval_loss": evaluated},
            "",
            marks,
            chance.choice((None, 400)),
            True,
            {Counted.TIME: clock},
        )
    )
    doings: list[Callable[[], list[Changed]]] = [
        lambda: chart.move_cursor(chance.choice((-10, -1, 1, 10))),
        chart.hide_cursor,
        lambda: chart.zoom(chance.choice((0.5, 2))),
        lambda: chart.pan(chance.choice((-0.25, 0.25))),
        chart.toggle_follow,
        chart.toggle_log_x,
        chart.toggle_log_y,
        chart.cycle_smoothing,
        chart.cycle_axis,
        lambda: chart.end_at(chance.choice((None, 300.0, 500.0))),
    ]
    screen = [list(row) for row in chart.rows]
    for _ in range(80):
        for _ in range(chance.choice((0, 1, 1, 9))):
            x = loss.x[-1] + chance.choice((1, 1, 2)) if loss.x else 0
            loss.append(x, chance.choice((math.nan, *[3 * math.exp(-x / 90) + chance.gauss(0, 0.3)] * 9)))
            clock.append(x, x * 1.5)
            if chance.random() < 0.1:
                evaluated.append(x, chance.random())
                marks.append(Mark(chance.choice(("evaluation", "checkpoint", "seam", "alert", "unknown")), x, "said"))
        if chance.random() < 0.03 and loss.x:
            x = chance.uniform(0, loss.x[-1])
            for series in (loss, evaluated, clock):
                series.truncate_from(x)
        put(screen, chart, chart.points_added())
        if chance.random() < 0.5:
            put(screen, chart, chance.choice(doings)())
        assert picture(screen) == picture(chart.rows)
        assert screen == [list(row) for row in chart.rows]


def test_a_new_point_changes_a_few_cells() -> None:
    chart = a_chart([2 + math.sin(n / 7) for n in range(1000)], end=2000)
    assert chart.points_added() == []
    chart.content.series["loss"].append(1000, 2.5)
    changed = chart.points_added()
    assert sum(change.stop - change.start for change in changed) <= 20
    assert {change.row for change in changed} & {0}  # its value


def test_nothing_new_changes_nothing() -> None:
    chart = a_chart([math.nan])
    assert chart.points_added() == []


def test_the_x_axis_goes_to_the_planned_end_and_beyond_it_when_it_must() -> None:
    chart = a_chart([1.0, 2.0], end=50)
    assert chart.viewport is not None
    assert (chart.viewport.x0, chart.viewport.x1) == (0, 50)
    chart.content.series["loss"].append(60, 1)
    chart.points_added()
    assert chart.viewport.x1 >= 60
    chart.end_at(1000)
    assert chart.viewport.x1 == 1000


def test_the_cursor_goes_from_point_to_point_and_stays_among_those_shown() -> None:
    chart = a_chart([float(n) for n in range(10)])
    chart.move_cursor(1)
    assert "step 9 " in title(chart)
    chart.move_cursor(-1)
    assert "step 8 " in title(chart)
    for _ in range(9):
        chart.move_cursor(-10)
    assert "step 0 " in title(chart)
    chart.move_cursor(-1)
    assert "step 0 " in title(chart)
    chart.hide_cursor()
    assert "step" not in title(chart)


def test_zooming_keeps_the_cursor_in_its_place_and_the_way_back_ends_with_everything() -> None:
    chart = a_chart([float(n) for n in range(101)], end=100)
    chart.move_cursor(1)
    for _ in range(10):
        chart.move_cursor(-1)
    cursor, before = chart.view.cursor, chart.viewport
    assert cursor is not None
    assert before is not None
    chart.zoom(0.5)
    assert chart.viewport is not None
    assert chart.viewport.across(cursor) == pytest.approx(before.across(cursor))
    assert chart.viewport.x1 - chart.viewport.x0 == pytest.approx(50)
    assert "held" in title(chart)
    chart.zoom(4)
    assert (chart.viewport.x0, chart.viewport.x1) == (0, 100)
    for _ in range(200):
        chart.zoom(0.5)  # ends where numbers can no longer be told apart
    for _ in range(9):
        chart.pan(0.25)
    chart.toggle_follow()
    assert (chart.viewport.x0, chart.viewport.x1) == (0, 100)
    assert "held" not in title(chart)


def test_without_a_cursor_one_looks_closer_at_the_newest_points() -> None:
    chart = a_chart([5 - n / 10 for n in range(46)], end=180)
    shown = []
    for factor in (0.5, 0.5, 2, 2, 2):
        chart.zoom(factor)
        assert chart.viewport is not None
        shown.append((chart.viewport.x0, chart.viewport.x1))
    assert shown == [(0, 45), (22.5, 45), (0, 45), (0, 90), (0, 180)]


def test_a_window_without_points_says_how_to_get_back() -> None:
    chart = a_chart([5 - n / 10 for n in range(46)], end=180)
    chart.key_for_all = "f"
    chart.zoom(0.5)
    chart.zoom(0.5)
    for _ in range(5):
        chart.pan(0.25)
    said = "no points here; f shows all"
    assert any(said in row for row in picture(chart.rows))
    screen = [list(row) for row in chart.rows]
    put(screen, chart, chart.move_cursor(1))
    chart.content.series["loss"].extend([46, 60], [1, 1])
    put(screen, chart, chart.points_added())
    assert screen == chart.rows
    assert not any(said in row for row in picture(chart.rows))
    chart.toggle_follow()
    assert not any(said in row for row in picture(chart.rows))


def test_panning_ends_where_there_is_nothing_more() -> None:
    chart = a_chart([float(n) for n in range(101)], end=100)
    chart.zoom(0.5)
    for _ in range(9):
        chart.pan(-0.25)
    assert chart.viewport is not None
    assert (chart.viewport.x0, chart.viewport.x1) == (0, 50)
    for _ in range(9):
        chart.pan(0.25)
    assert (chart.viewport.x0, chart.viewport.x1) == (50, 100)


def test_held_it_stays_while_points_come() -> None:
    chart = a_chart([1.0, 2.0, 3.0])
    chart.toggle_follow()
    held = chart.viewport
    chart.content.series["loss"].extend([10, 1000], [9, 9])
    chart.points_added()
    assert chart.viewport == held
    chart.toggle_follow()
    assert chart.viewport is not None
    assert chart.viewport.x1 >= 1000


def test_zooming_does_not_change_smoothed_values() -> None:
    chance = random.Random(1)
    chart = a_chart([chance.random() for _ in range(1000)])
    chart.move_cursor(1)
    before = title(chart).split()
    chart.zoom(0.5)
    chart.zoom(0.5)
    assert title(chart).split()[:5] == before[:5]
    assert before[4].startswith("~0.")


def test_smoothing_goes_through_its_weights_and_spares_short_and_quiet_curves() -> None:
    chart = a_chart([1.0] * 500)
    seen = []
    for _ in WEIGHTS:
        seen.append(chart.weight)
        chart.cycle_smoothing()
    assert sorted(seen) == sorted(WEIGHTS)
    assert "~" not in title(a_chart([1.0] * 20))
    chart.show(Content("rate", {"rate": series_of([1.0] * 500)}, smooth=False))
    assert "~" not in title(chart)


def test_a_short_curve_is_smoothed_on_demand_and_every_press_is_told() -> None:
    chart = a_chart([1.0, 2.0, 4.0])
    chart.resize(40, 8)
    seen = []
    for _ in WEIGHTS:
        assert chart.cycle_smoothing()
        seen.append(title(chart))
    assert [row.split()[2:] for row in seen] == [
        ["~2.439", "smoothed", "0.9"],
        ["~2.354", "smoothed", "0.98"],
        ["~2.338", "smoothed", "0.995"],
        ["not", "smoothed"],
    ]


def test_a_long_curve_is_smoothed_in_slices() -> None:
    chart = a_chart([1.0] * 120_000)
    slices = 0
    while chart.is_behind:
        chart.points_added()
        slices += 1
    assert slices == 2


def test_axes_count_what_is_known() -> None:
    chart = a_chart([1.0] * 200, end=1000)
    assert picture(chart.rows)[-1].endswith("step")
    chart.cycle_axis()
    assert picture(chart.rows)[-1].endswith("epoch")
    assert chart.viewport is not None
    assert chart.viewport.x1 == pytest.approx(10, rel=0.3)
    chart.cycle_axis()
    assert picture(chart.rows)[-1].endswith("time")
    assert "m" in picture(chart.rows)[-1]
    chart.cycle_axis()
    assert picture(chart.rows)[-1].endswith("step")
    alone = Chart(Glyphs.ASCII)
    alone.resize(40, 8)
    alone.show(Content("loss", {"loss": series_of([1, 2])}))
    alone.cycle_axis()
    assert alone.view.counted is Counted.STEP


def table(chart: Chart) -> list[dict[str, str]]:
    write = chart.csv_writer()
    assert write is not None
    return list(csv.DictReader(io.StringIO(write())))


def test_the_table_holds_the_points_shown_in_full() -> None:
    chart = a_chart([0.1, math.nan, -math.inf, 1 / 3, 5], end=4)
    rows = table(chart)
    assert [row["value"] for row in rows] == ["0.1", "nan", "-inf", "0.3333333333333333", "5.0"]
    assert rows[3] == {"series": "loss", "step": "3", "x": "3", "value": "0.3333333333333333", "smoothed": ""}
    chart.zoom(0.5)
    assert [row["step"] for row in table(chart)] == ["2", "3", "4"]


def test_the_table_has_the_smoothed_values() -> None:
    chance = random.Random(3)
    values = [math.nan if chance.random() < 0.1 else chance.random() for _ in range(300)]
    chart, smoothed = a_chart(values), Smoothed(series_of(values), 0.9)
    smoothed.advance(300)
    assert [row["smoothed"] for row in table(chart)] == [repr(smoothed.value(place)) for place in range(300)]
    chart.zoom(0.5)
    part = table(chart)
    assert 100 < len(part) < 200
    assert all(row["smoothed"] == repr(smoothed.value(int(row["step"]))) for row in part)


def test_a_table_that_is_written_later_holds_what_was_shown() -> None:
    chart = a_chart([float(number) for number in range(100)])
    chart.cycle_axis()
    write = chart.csv_writer()
    series, clock = chart.content.series["loss"], chart.content.clocks[Counted.EPOCH]
    series.truncate_from(10)
    clock.truncate_from(10)
    assert write is not None
    rows = list(csv.DictReader(io.StringIO(write())))
    assert [(row["value"], row["x"]) for row in rows[::50]] == [("0.0", "0"), ("50.0", "0.5")]


@pytest.mark.parametrize(
    ("over", "since", "called", "said"),
    [
        (Counted.STEP, None, "step", "step 40  "),
        (Counted.EPOCH, None, "epoch", "  epoch 40.000"),
        (Counted.TIME, None, "seconds", "  at 40s"),
        (Counted.STEP, 10.0, "unix_time", "  at 30s"),
    ],
)
def test_what_x_is_has_its_name(over: Counted, since: float | None, called: str, said: str) -> None:
    chart = Chart(Glyphs.BRAILLE)
    chart.resize(60, 12)
    chart.show(Content("loss", {"loss": series_of([1.0, 2.0], [20, 40])}, since=since, over=over))
    assert list(table(chart)[1])[:2] == ["series", called]
    assert table(chart)[1][called] == "40"
    chart.move_cursor(1)
    assert said in title(chart)
    assert "step" not in title(chart) or called == "step"


def test_the_cursor_goes_along_the_first_curve_that_has_points() -> None:
    chart = Chart(Glyphs.BRAILLE)
    chart.resize(60, 12)
    chart.show(Content("loss", {"A": series_of([]), "B": series_of([3.0, 4.0, 5.0])}))
    assert chart.move_cursor(-1)
    assert chart.view.cursor == 2
    assert chart.move_cursor(-1)
    assert chart.view.cursor == 1


@pytest.mark.parametrize(("count", "weight"), [(800, 0.9), (1999, 0.9), (2000, 0.98), (25_000, 0.995)])
def test_a_curve_is_smoothed_as_its_length_suits_it(count: int, weight: float) -> None:
    chart = a_chart([1.0] * count)
    assert chart.weight == weight


def test_a_short_curve_stays_within_its_envelope() -> None:
    chance = random.Random(5)
    values = [1 + 2.5 * math.exp(-step / 150) + chance.random() / 5 for step in range(800)]
    smoothed = Smoothed(series_of(values), a_chart(values).weight)
    smoothed.advance(len(values))
    outside = sum(
        not min(values[place : place + 5]) <= smoothed.value(place + 4) <= max(values[place : place + 5])
        for place in range(0, 800, 5)
    )
    assert outside <= 32, "a fifth of its columns; with 0.98 it is three fifths"


def test_a_growing_curve_is_smoothed_anew_and_a_chosen_weight_stays() -> None:
    for chosen in (False, True):
        chart = a_chart([1.0] * 1999)
        if chosen:
            for _ in range(4):
                chart.cycle_smoothing()
            assert chart.weight == 0.9
        chart.content.series["loss"].extend([1999, 2000], [2.0, 2.0])
        chart.points_added()
        assert chart.weight == (0.9 if chosen else 0.98)
        expected = Smoothed(chart.content.series["loss"], chart.weight)
        expected.advance(3000)
        assert f"~{number(expected.value(2000))}" in title(chart)


def test_the_drawing_is_whole_and_keeps_gaps() -> None:
    chance = random.Random(1)
    values = [math.nan if 40 < n < 60 else chance.random() for n in range(300)]
    chart = Chart(Glyphs.BRAILLE)
    chart.resize(60, 12)
    chart.show(Content("<loss> & more", {"a<b": series_of(values), "lr": series_of([1, 2], [0, 299])}))
    drawing = ElementTree.fromstring(chart.to_svg())
    paths = [
        (element[0].text, element.attrib["d"])
        for element in drawing.iter("{http://www.w3.org/2000/svg}path")
        if len(element)
    ]
    assert [name for name, _ in paths] == ["a<b", "a<b", "lr"]
    assert [path.count("M") for _, path in paths] == [2, 2, 1]
    for logarithmic in (chart.toggle_log_y, chart.toggle_log_x):
        logarithmic()
        ElementTree.fromstring(chart.to_svg())


def test_nothing_to_show_exports_nothing() -> None:
    chart = a_chart([])
    assert (chart.csv_writer(), chart.to_svg()) == (None, "")
    assert chart.move_cursor(1) == chart.zoom(0.5) == chart.pan(0.5) == []


def test_read_in_slices_or_at_once_it_ends_up_the_same() -> None:
    xs = [float(step) for step in range(1, 901)]
    ys = [5.0 - step / 200 for step in xs]

    def drawn(slices: int) -> list[str]:
        series = Series("loss")
        chart = Chart(Glyphs.BRAILLE)
        chart.resize(60, 12)
        chart.show(Content("loss", {"loss": series}))
        size = len(xs) // slices
        for start in range(0, len(xs), size):
            series.extend(xs[start : start + size], ys[start : start + size])
            chart.points_added()
        chart.view.fit_anew()
        chart.points_added()
        return ["".join(cell.char for cell in row) for row in chart.rows]

    assert drawn(9) == drawn(1)
