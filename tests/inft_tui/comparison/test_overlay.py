"""Curves of several runs over each other."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from inft.runs.directory import RunDirectory
from inft_tui.charts.glyphs import CURVES
from inft_tui.charts.series import Series
from inft_tui.charts.view import Counted
from inft_tui.comparison.choice import runs_to_compare
from inft_tui.comparison.marks import MOST, toggle
from inft_tui.comparison.overlay import LETTERS, Best, Curves, Overlay, Rebased, counts_of, figures_of, value_at
from inft_tui.listing import Seen


def series_of(*points: tuple[float, float], name: str = "loss") -> Series:
    series = Series(name)
    for x, y in points:
        series.append(x, y)
    return series


def curves_of(**series: Series) -> Curves:
    return Curves(series, {})


def test_as_many_runs_as_there_are_colours_and_letters() -> None:
    assert MOST == CURVES == len(LETTERS)


@pytest.mark.parametrize("seed", range(10))
def test_a_curve_over_its_own_time_is_where_its_clock_says_however_it_grows(seed: int) -> None:
    chance = random.Random(seed)
    source, clock = Series("loss"), Series("elapsed_sec")
    rebased = Rebased(source, clock)
    step, seconds = 0.0, 0.0
    for _ in range(60):
        step += chance.choice((1, 1, 5))
        seconds += chance.uniform(0.1, 3)
        if chance.random() < 0.9:
            source.append(step, chance.random())
        if chance.random() < 0.8:
            clock.append(step, seconds)
        if chance.random() < 0.05:
            step = float(int(step * 0.7))
            source.truncate_from(step)
            clock.truncate_from(step)
            seconds = clock.y[-1] if len(clock) else 0.0
        if chance.random() < 0.4:
            rebased.advance()
    rebased.advance()
    noted = dict(zip(clock.x, clock.y, strict=True))
    last = clock.x[-1]
    expected = [(x, y) for x, y in zip(source.x, source.y, strict=True) if x <= last]
    assert list(rebased.series.y) == [y for _, y in expected]
    for (x, _), position in zip(expected, rebased.series.x, strict=True):
        if x in noted:
            assert position == pytest.approx(noted[x])
    assert list(rebased.series.x) == sorted(rebased.series.x)


@pytest.mark.parametrize("lowest", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_value_is_that_of_a_whole_search(seed: int, lowest: bool) -> None:
    chance = random.Random(seed)
    series = Series("loss")
    best = Best(series, lowest=lowest)
    x = 0.0
    for _ in range(200):
        x += 1
        series.append(x, chance.choice((math.nan, math.inf, chance.random())))
        if chance.random() < 0.03:
            x = float(int(x / 2))
            series.truncate_from(x)
        if chance.random() < 0.3:
            finite = [(y, at) for at, y in zip(series.x, series.y, strict=True) if math.isfinite(y)]
            found = best.find()
            if finite:
                assert found is not None
                assert found[1] == (min(finite)[0] if lowest else max(finite)[0])
            else:
                assert found is None


def test_a_run_without_the_figure_keeps_its_colour() -> None:
    with_it, without = curves_of(eval_loss=series_of((1, 2))), curves_of(loss=series_of((1, 2)))
    content = Overlay("eval_loss", [without, with_it], Counted.STEP).content
    assert list(content.series) == ["A", "B"]
    assert len(content.series["A"]) == 0
    assert len(content.series["B"]) == 1


def test_it_is_made_anew_only_for_other_curves() -> None:
    loss, clock = series_of((1, 2), (2, 1)), series_of((1, 10), (2, 20))
    runs = [Curves({"loss": loss}, {"elapsed_sec": clock}, 100)]
    overlay = Overlay("loss", runs, Counted.TIME)
    loss.append(3, 0.5)
    clock.append(3, 30)
    assert overlay.content.over is Counted.TIME
    assert overlay.shows("loss", runs, Counted.TIME)
    overlay.advance()
    assert list(overlay.series[0].x) == [10, 20, 30]
    assert not overlay.shows("loss", runs, Counted.STEP)
    assert not overlay.shows("loss", [Curves({"loss": series_of()}, runs[0].axes)], Counted.TIME)
    assert not Overlay("loss", [Curves({"loss": loss}, {})], Counted.TIME).shows("loss", runs, Counted.TIME)


def test_figures_that_people_look_at_come_first() -> None:
    one = curves_of(odd=series_of(), learning_rate=series_of(), loss=series_of())
    other = curves_of(strange=series_of(), eval_loss=series_of())
    assert figures_of([one, other]) == ["loss", "eval_loss", "learning_rate", "odd", "strange"]
    assert counts_of([one]) == [Counted.STEP]
    assert counts_of([one, Curves({}, {"elapsed_sec": series_of()})]) == [Counted.STEP, Counted.TIME]


def test_the_value_at_the_cursor_is_the_last_one_before_it() -> None:
    series = series_of((10, 1.0), (20, 2.0))
    assert [value_at(series, x) for x in (9, 10, 19, 25)] == [None, 1.0, 1.0, 2.0]


def test_marked_ones_or_the_chosen_and_the_newest_other_with_a_curve(tmp_path: Path) -> None:
    new, curved, old = (Seen(RunDirectory(tmp_path / name)) for name in ("new", "curved", "old"))
    curved = Seen(curved.run, curve=(1.0, 2.0))
    runs = [new, curved, old]
    paths = [seen.run.path for seen in runs]
    assert runs_to_compare([paths[2], paths[0]], paths[1], runs) == [paths[2], paths[0]]
    assert runs_to_compare([], paths[2], runs) == [paths[2], paths[1]]
    assert runs_to_compare([paths[2]], None, runs) == [paths[2], paths[1]]
    assert runs_to_compare([], paths[1], runs) == [paths[1], paths[0]]
    assert runs_to_compare([], paths[0], [new]) == [paths[0]]
    assert runs_to_compare([tmp_path / "deleted", paths[0], paths[1]], None, runs) == paths[:2]


def test_no_more_marks_than_colours() -> None:
    marked: list[Path] = []
    assert all(toggle(marked, Path(str(number))) for number in range(MOST))
    assert not toggle(marked, Path("another"))
    assert len(marked) == MOST
    assert toggle(marked, Path("3"))
    assert toggle(marked, Path("another"))
    assert marked[-1] == Path("another")
