"""Steps as epochs or as time."""

from __future__ import annotations

import math

import pytest

from inft_tui.charts.axis import Along
from tests.inft_tui.charts.drawing import series_of


def test_between_two_notes_it_goes_evenly() -> None:
    axis = Along(series_of([0, 100, 400], [0, 10, 20]))
    assert [axis.position(step) for step in (0, 5, 10, 15, 20)] == [0, 50, 100, 250, 400]
    assert list(axis.steps([0, 50, 250, 400])) == [0, 5, 15, 20]


def test_beyond_the_last_note_it_goes_on_as_on_the_whole() -> None:
    axis = Along(series_of([0, 100, 400], [0, 10, 20]))
    assert axis.position(30) == 600
    assert list(axis.steps([-40, 600])) == [-2, 30]


def test_what_is_not_finite_or_runs_backwards_is_passed_over() -> None:
    axis = Along(series_of([1, math.nan, 2, 1.5, 2, 4], range(6)))
    assert [axis.position(step) for step in (0, 1, 2, 3.5, 5)] == [1, 1.5, 2, 3, 4]


def test_a_clock_that_grows_and_is_cut_short() -> None:
    clock = series_of([0, 10], [0, 1])
    axis = Along(clock)
    assert axis.position(2) == 20
    clock.append(2, 30)
    assert axis.position(2) == 30
    clock.truncate_from(1)
    clock.append(1, 5)
    assert axis.position(2) == 10


@pytest.mark.parametrize("values", [[], [3.0], [math.nan, 3.0, 3.0]])
def test_without_two_notes_it_counts_steps(values: list[float]) -> None:
    axis = Along(series_of(values))
    assert (axis.position(7), list(axis.steps([7]))) == (7, [7])
