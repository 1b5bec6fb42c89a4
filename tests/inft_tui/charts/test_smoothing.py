"""The smoothed curve against the mean it is defined as."""

from __future__ import annotations

import math
import random

import pytest

from inft_tui.charts.series import Series
from inft_tui.charts.smoothing import STRIDE, Smoothed


def weighed_mean(values: list[float], weight: float) -> float:
    """Every finite value weighs `weight` times as much as the next one."""
    finite = [value for value in values if math.isfinite(value)]
    weights = [weight**age for age in reversed(range(len(finite)))]
    return math.fsum(w * v for w, v in zip(weights, finite, strict=True)) / math.fsum(weights) if finite else math.nan


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("weight", [0, 0.5, 0.98])
def test_a_value_is_the_weighed_mean_of_all_before(seed: int, weight: float) -> None:
    chance = random.Random(seed)
    series, smoothed = Series("loss"), None
    for x in range(3 * STRIDE + 5):
        series.append(x, chance.choice((math.nan, math.inf, chance.gauss(5, 2), chance.gauss(5, 2))))
        if smoothed is None:
            smoothed = Smoothed(series, weight)
        if chance.random() < 0.1:
            smoothed.advance(chance.randint(0, 90))
        if chance.random() < 0.01:
            series.truncate_from(chance.uniform(0, x))
    assert smoothed is not None
    while not smoothed.advance(100):
        pass
    for place in range(0, len(series), 17):
        assert smoothed.value(place) == pytest.approx(weighed_mean(list(series.y[: place + 1]), weight), nan_ok=True)


def test_the_first_values_are_not_drawn_towards_zero() -> None:
    series = Series("loss")
    series.extend([0, 1, 2], [3.0, 3.0, 3.0])
    smoothed = Smoothed(series, 0.99)
    smoothed.advance(10)
    assert [smoothed.value(place) for place in range(3)] == pytest.approx([3, 3, 3])


def test_what_comes_from_a_kept_state_is_the_same_to_the_last_bit() -> None:
    chance = random.Random(1)
    series = Series("loss")
    series.extend(range(1000), [chance.random() for _ in range(1000)])
    step_by_step, at_once = Smoothed(series, 0.9), Smoothed(series, 0.9)
    at_once.advance(1000)
    for place in range(1000):
        step_by_step.advance(1)
        assert step_by_step.value(place) == at_once.value(place)


def test_no_value_before_the_first_finite_one() -> None:
    series = Series("loss")
    series.extend([0, 1], [math.nan, 2.0])
    smoothed = Smoothed(series, 0.9)
    smoothed.advance(2)
    assert math.isnan(smoothed.value(0))
    assert smoothed.value(1) == 2


def test_memory_is_a_hundredth_of_the_values() -> None:
    series = Series("loss")
    series.extend(range(100_000), [1.0] * 100_000)
    smoothed = Smoothed(series, 0.9)
    smoothed.advance(100_000)
    assert smoothed.bytes <= 8 * 100_000 / 50


@pytest.mark.parametrize("weight", [-0.1, 1, 2, math.nan])
def test_a_weight_that_forgets_nothing_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="got"):
        Smoothed(Series("loss"), weight)
