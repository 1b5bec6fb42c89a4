"""The pyramid against the plain way of looking at every point."""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_left
from itertools import pairwise

import pytest

from inft_tui.charts.series import FAN, LEAF, Column, Series

NOT_FINITE = (math.nan, math.inf, -math.inf)


def random_series(chance: random.Random, points: int, gaps: float) -> tuple[Series, list[tuple[float, float]]]:
    """A series with repeated and uneven x, gaps alone and in stretches, and resumptions; and what it must hold."""
    series, held = Series("loss"), list[tuple[float, float]]()
    x, in_gap = 0.0, False
    while len(held) < points:
        x += chance.choice((0, 1, 1, 1, 0.25, 40))
        if chance.random() < 1 / 300:
            in_gap = not in_gap and gaps > 0
        y = chance.choice(NOT_FINITE) if in_gap or chance.random() < gaps else chance.gauss(0, 10)
        series.append(x, y)
        held.append((x, y))
        if chance.random() < 2 / points:
            x = chance.uniform(0, x)
            series.truncate_from(x)
            held = [point for point in held if point[0] < x]
    return series, held


def looked_at(held: list[tuple[float, float]], low: float, high: float) -> tuple[float, ...] | None:
    values = [y for x, y in held if low <= x < high]
    finite = [y for y in values if math.isfinite(y)]
    if not values:
        return None
    if not finite:
        return (len(values), len(values))
    return (len(values), len(values) - len(finite), min(finite), max(finite), finite[0], finite[-1])


def told(column: Column | None) -> tuple[float, ...] | None:
    if column is None:
        return None
    if column.is_empty:
        return (column.count, column.gaps)
    return (column.count, column.gaps, column.low, column.high, column.first, column.last)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("gaps", [0, 0.001, 0.5])
def test_columns_are_those_of_every_point_looked_at(seed: int, gaps: float) -> None:
    chance = random.Random(seed)
    series, held = random_series(chance, chance.choice((3, LEAF, 5 * LEAF + 7, LEAF * FAN * 2 + 1)), gaps)
    assert list(series.x) == [x for x, _ in held]
    for _ in range(4):
        edges = sorted(chance.uniform(-5, held[-1][0] + 5) for _ in range(chance.randint(2, 12)))
        edges[chance.randrange(len(edges))] = chance.choice(held)[0]  # an edge upon a point
        edges.sort()
        columns = series.columns_between(edges)
        assert [told(column) for column in columns] == [looked_at(held, low, high) for low, high in pairwise(edges)]


@pytest.mark.parametrize("seed", range(6))
def test_appending_and_extending_come_to_the_same(seed: int) -> None:
    chance = random.Random(seed)
    xs = [float(chance.randint(0, 3000)) for _ in range(3)] + sorted(chance.uniform(0, 9e3) for _ in range(5000))
    ys = [chance.choice((math.nan, chance.random())) for _ in xs]
    one, many = Series("a"), Series("b")
    for x, y in zip(xs, ys, strict=True):
        one.append(x, y)
    place = 0
    while place < len(xs):
        size = chance.choice((1, 7, 600, 2000))
        many.extend(xs[place : place + size], ys[place : place + size])
        place += size
    assert (one.x, list(map(repr, one.y)), one.seams) == (many.x, list(map(repr, many.y)), many.seams)
    assert list(map(told, one.columns(0, 9e3, 7))) == list(map(told, many.columns(0, 9e3, 7)))
    assert one.pyramid_bytes == many.pyramid_bytes


def test_equal_parts_touch_and_the_last_holds_the_end() -> None:
    series = Series("loss")
    series.extend(list(range(11)), list(range(11)))
    assert [told(column) for column in series.columns(0, 10, 5)] == [
        (2, 0, 0, 1, 0, 1),
        (2, 0, 2, 3, 2, 3),
        (2, 0, 4, 5, 4, 5),
        (2, 0, 6, 7, 6, 7),
        (3, 0, 8, 10, 8, 10),
    ]


def test_a_resumed_run_replaces_what_it_does_again() -> None:
    series = Series("loss")
    series.extend([1, 2, 3, 4, 5], [9, 9, 9, 9, 9])
    series.truncate_from(3)
    series.append(3, 1)
    assert (list(series.x), list(series.y), series.seams, series.cuts) == ([1, 2, 3], [9, 9, 1], [3], [2])
    series.append(2, 0)  # without a word about it: x went back
    assert (list(series.x), list(series.y), series.seams, series.cuts) == ([1, 2], [9, 0], [2], [2, 1])
    series.append(9, 0)
    series.truncate_from(9.5)  # stopped with a save: nothing is lost, and still it is a seam
    assert (list(series.x), series.seams) == ([1, 2, 9], [2, 9.5])


def test_nothing_to_go_back_on_leaves_no_seam() -> None:
    series = Series("loss")
    series.truncate_from(4)
    assert (series.seams, series.cuts) == ([], [])


@pytest.mark.parametrize("x", NOT_FINITE)
def test_a_point_nowhere_is_refused(x: float) -> None:
    series = Series("loss")
    series.append(1, 1)
    with pytest.raises(ValueError, match="no place"):
        series.append(x, 1)
    with pytest.raises(ValueError, match="no place"):
        series.extend([2, x], [1, 1])
    assert list(series.x) == [1, 2]


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="2 positions and 1 values"):
        Series("loss").extend([1, 2], [1])


def test_no_points_at_all() -> None:
    series = Series("loss")
    assert series.columns(0, 1, 3) == [None, None, None]
    assert series.extent(0, 0).low == math.inf


def test_a_million_points_cost_little_memory_and_their_columns_little_time() -> None:
    series = Series("loss")
    million = range(1_000_000)
    series.extend(million, [float(n * 7919 % 1009) for n in million])
    assert series.pyramid_bytes <= 64 * 1024
    began = time.perf_counter()
    columns = series.columns(3, 999_990, 300)
    assert time.perf_counter() - began < 0.1  # about 4 ms; whole passes over the values would take 10 s
    middle = columns[150]
    assert middle is not None
    start, stop = bisect_left(series.x, 3 + 150 * 999_987 / 300), bisect_left(series.x, 3 + 151 * 999_987 / 300)
    assert (middle.start, middle.stop) == (start, stop)
    assert (middle.low, middle.high) == (min(series.y[start:stop]), max(series.y[start:stop]))
