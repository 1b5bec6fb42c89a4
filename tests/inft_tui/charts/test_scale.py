"""Ends of axes, ticks and labels, for values of every size."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from inft_tui.charts.scale import (
    Domain,
    SteadyDomain,
    duration,
    labels,
    log_labels,
    log_ticks,
    log_time_ticks,
    nice_domain,
    number,
    ticks,
    time_ticks,
    value_ticks,
)


def some_values(chance: random.Random) -> tuple[float, float]:
    size = 10 ** chance.uniform(-12, 12)
    low = chance.choice((0, 1, -1)) * size * chance.random()
    return low, low + size * chance.random() * chance.choice((1, 1e-3, 1e-12, 0))


@pytest.mark.parametrize("seed", range(300))
def test_a_domain_holds_the_values_and_its_ticks_can_be_told_apart(seed: int) -> None:
    chance = random.Random(seed)
    low, high = some_values(chance)
    most = chance.randint(1, 9)
    domain = nice_domain(low, high, most)
    assert domain is not None
    assert domain.low < domain.high
    room = 1e-8 * max(abs(low), abs(high))
    assert domain.low <= low + room
    assert high - room <= domain.high
    found = ticks(domain, most)
    assert 1 <= len(found) <= most + 2
    assert all(domain.low - room <= tick <= domain.high + room for tick in found)
    written = labels(found)
    assert len(set(written)) == len(found)
    steps = [b - a for a, b in pairwise(found)]
    assert not steps or max(steps) == pytest.approx(min(steps), rel=1e-6)


@pytest.mark.parametrize("seed", range(200))
def test_a_logarithmic_domain_holds_the_values(seed: int) -> None:
    chance = random.Random(seed)
    low = 10 ** chance.uniform(-12, 12)
    high = low * 10 ** chance.choice((0, chance.random(), chance.uniform(0, 12)))
    domain = nice_domain(low, high, 5, log=True)
    assert domain is not None
    assert 0 < domain.low < domain.high
    assert domain.low <= low * (1 + 1e-8)
    assert high <= domain.high * (1 + 1e-8)
    most = chance.randint(1, 9)
    found = log_ticks(domain, most)
    assert len(found) <= max(3, most + 2)
    assert len(set(log_labels(found))) == len(found)


@pytest.mark.parametrize("ends", [(-1e308, 1e308), (5e-324, 5e-324), (1e308, 1e308), (-5e-324, 0), (1e300, 1.1e300)])
@pytest.mark.parametrize("log", [False, True])
def test_values_at_the_ends_of_what_numbers_can_be(ends: tuple[float, float], log: bool) -> None:
    domain = nice_domain(*ends, 5, log=log)
    if log and ends[1] <= 0:
        assert domain is None
        return
    assert domain is not None
    assert math.isfinite(domain.high - domain.low)
    assert domain.low < domain.high
    (log_ticks if log else ticks)(domain, 5)


@pytest.mark.parametrize(("low", "high", "most"), [(5.1, 6.7, 8), (0.21, 0.34, 4), (3.3, 12, 8), (1.2, 1.3, 8)])
def test_a_logarithmic_axis_fits_what_is_narrow(low: float, high: float, most: int) -> None:
    steady = SteadyDomain()
    assert steady.fit(low, high, most, log=True)
    assert steady.domain is not None
    assert math.log(steady.domain.high / steady.domain.low) < 1.5 * math.log(high / low)
    assert len(value_ticks(steady.domain, 4, log=True)) >= (3 if high < 2 * low else 2)
    moves = sum(steady.fit(low, high * (1 + n / 1000), most, log=True) for n in range(100))
    assert moves <= 5


def test_nothing_to_show() -> None:
    assert nice_domain(math.inf, -math.inf, 5) is None
    assert nice_domain(-3, -1, 5, log=True) is None
    assert nice_domain(-3, 0, 5, log=True) is None


def test_an_axis_moves_seldom() -> None:
    steady, moves, chance = SteadyDomain(), 0, random.Random(1)
    low, high = math.inf, -math.inf
    for step in range(5000):
        value = 2.5 * math.exp(-step / 500) + chance.random() / 4
        low, high = min(low, value), max(high, value)
        moves += steady.fit(low, high, 5)
        assert steady.domain is not None
        assert steady.domain.low <= low < high + 1e-12
        assert high <= steady.domain.high
    assert moves <= 10


def test_an_axis_comes_back_from_an_outlier_that_is_gone() -> None:
    steady = SteadyDomain()
    assert steady.fit(0, 1000, 5)
    assert not steady.fit(0, 400, 5)
    assert steady.fit(0, 3, 5)
    assert steady.domain == Domain(0, 3)


def test_an_axis_stays_where_there_is_nothing_to_see_for_now() -> None:
    steady = SteadyDomain()
    steady.fit(0, 3, 5)
    assert not steady.fit(math.inf, -math.inf, 5)
    assert steady.domain == Domain(0, 3)
    assert steady.fit(math.inf, -math.inf, 5, log=True)
    assert steady.domain is None


@pytest.mark.parametrize("seed", range(200))
def test_a_number_takes_seven_columns_and_is_right_to_a_thousandth(seed: int) -> None:
    chance = random.Random(seed)
    value = chance.choice((-1, 1)) * 10 ** chance.uniform(-20, 20)
    text = number(value)
    assert len(text.lstrip("-")) <= 8
    scale = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1])
    read = float(text[:-1]) * scale if scale else float(text)
    assert read == pytest.approx(value, rel=6e-3)


def test_times() -> None:
    assert [duration(tick) for tick in time_ticks(Domain(0, 3 * 3600), 6)] == [
        "0s",
        "30m",
        "1h",
        "1h30",
        "2h",
        "2h30",
        "3h",
    ]
    assert [duration(tick) for tick in time_ticks(Domain(0, 9 * 86400), 4)] == ["0s", "5d"]
    assert time_ticks(Domain(0, 2), 5) == [0, 0.5, 1, 1.5, 2]
    assert log_time_ticks(Domain(1, 4000), 9) == [1, 10, 60, 600, 3600]
