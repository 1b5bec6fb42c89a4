"""The values of one curve, with a pyramid of their extremes so that any width is drawn at a cost that hardly grows.

The raw values stay as they came. Above every `LEAF` of them stands a leaf that says in three bytes which of them is
the least, which the greatest, and how many are not finite; above every `FAN` leaves a node with the extremes
themselves, and so on: about 45 KiB per million points.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import gt
from typing import NamedTuple

LEAF = 128
"""Points under a leaf, whose places in it fit in a byte. The ragged ends of a column are read point by point: with 512
points a leaf, that made three quarters of a redraw."""
FAN = 8
"""Children under a node."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the points `start` <= index < `stop` of a series come to; there is at least one.

    Where none of them is finite, `low` is inf, `high` is -inf, `first` and `last` are NaN.
    """

    start: int
    stop: int
    low: float
    high: float
    first: float
    """The first finite value, and `last` the last."""
    last: float
    gaps: int
    """Values that are NaN or infinite."""

    @property
    def count(self) -> int:
        """Points, finite or not."""
        return self.stop - self.start

    @property
    def has_gap(self) -> bool:
        """Whether any value is NaN or infinite."""
        return self.gaps > 0

    @property
    def is_empty(self) -> bool:
        """Whether no value is finite."""
        return self.gaps == self.stop - self.start


class Extent(NamedTuple):
    """Least and greatest finite value of some points (inf, -inf where there is none), and how many are not finite."""

    low: float
    high: float
    gaps: int


class _Leaves:
    """The lowest storey: offsets into the raw values."""

    def __init__(self, values: array[float]) -> None:
        self._values = values
        self._low = array("B")
        self._high = array("B")
        self.gaps = array("B")

    def __len__(self) -> int:
        return len(self.gaps)

    def append(self) -> None:
        """Takes the next `LEAF` raw values in."""
        start = len(self) * LEAF
        values = self._values[start : start + LEAF].tolist()  # looked through five times: objects once, not each time
        extent = _extent_of(values)
        empty = extent.gaps == LEAF
        self._low.append(0 if empty else values.index(extent.low))
        self._high.append(0 if empty else values.index(extent.high))
        self.gaps.append(extent.gaps)

    def collect(self, start: int, stop: int, lows: list[float], highs: list[float]) -> int:
        """Adds the extremes of the leaves `start` <= place < `stop`; how many of their values are not finite."""
        gaps = sum(self.gaps[start:stop])
        places = [place for place in range(start, stop) if self.gaps[place] < LEAF] if gaps else range(start, stop)
        values, low, high = self._values, self._low, self._high
        lows += [values[place * LEAF + low[place]] for place in places]
        highs += [values[place * LEAF + high[place]] for place in places]
        return gaps

    def cut(self, length: int) -> None:
        for part in (self._low, self._high, self.gaps):
            del part[length:]

    @property
    def bytes(self) -> int:
        return 3 * len(self)


class _Nodes:
    """A storey above the leaves."""

    def __init__(self) -> None:
        self._low = array("d")
        self._high = array("d")
        self._gaps = array("I")

    def __len__(self) -> int:
        return len(self._gaps)

    def append(self, extent: Extent) -> None:
        self._low.append(extent.low)
        self._high.append(extent.high)
        self._gaps.append(extent.gaps)

    def collect(self, start: int, stop: int, lows: list[float], highs: list[float]) -> int:
        """Adds the extremes of the nodes `start` <= place < `stop`; how many of their values are not finite."""
        lows += self._low[start:stop]
        highs += self._high[start:stop]
        return sum(self._gaps[start:stop])

    def cut(self, length: int) -> None:
        for part in (self._low, self._high, self._gaps):
            del part[length:]

    @property
    def bytes(self) -> int:
        return sum(len(part) * part.itemsize for part in (self._low, self._high, self._gaps))


class Series:
    """An append-only curve. x ascends (values may repeat); y may be NaN or infinite, which is a gap.

    Attributes:
        name: what the values are.
        x: the raw positions; not to be changed by others.
        y: the raw values, NaN and infinities kept; not to be changed by others.
        seams: positions from which on a resumed run went on, ascending.
        cuts: the length that each `truncate_from` left, in order: what a reader of indices has to look at.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.x = array("d")
        self.y = array("d")
        self.seams: list[float] = []
        self.cuts: list[int] = []
        self._leaves = _Leaves(self.y)
        self._nodes: list[_Nodes] = []
        self._last_x = -math.inf
        self._leaf_full_at = LEAF

    def __len__(self) -> int:
        return len(self.x)

    def append(self, x: float, y: float) -> None:
        """One more point. An x before the last one means that the run went back there: see `truncate_from`.

        Raises:
            ValueError: x is not finite, and so has no place.
        """
        if not self._last_x <= x < math.inf:
            self._go_back(x)
        self._last_x = x
        self.x.append(x)
        self.y.append(y)
        if len(self.y) == self._leaf_full_at:
            self._close_leaf()

    def extend(self, xs: Sequence[float], ys: Sequence[float], *, ascending: bool = False) -> None:
        """Many points at once, of the same length.

        Args:
            xs: where they lie.
            ys: their values.
            ascending: whether `xs` are known to be finite and to ascend: with a dozen curves over the same steps, to
                look each time would be a third of the cost.

        Raises:
            ValueError: an x is not finite, or the lengths differ.
        """
        if len(xs) != len(ys):
            raise ValueError(f"{self.name}: {len(xs)} positions and {len(ys)} values.")
        if not xs:
            return
        ascending = ascending or (math.isfinite(sum(xs)) and not any(map(gt, xs, xs[1:])))
        if not (ascending and self._last_x <= xs[0]):
            for x, y in zip(xs, ys, strict=True):
                self.append(x, y)
            return
        self.x.extend(xs)
        self.y.extend(ys)
        self._last_x = self.x[-1]
        while self._leaf_full_at <= len(self.y):
            self._close_leaf()

    def truncate_from(self, x: float) -> None:
        """Forgets the points at `x` and after it: a resumed run does these again. A seam remains at `x`."""
        if not self.x:
            return
        length = bisect_left(self.x, x)
        del self.x[length:]
        del self.y[length:]
        self._last_x = self.x[-1] if self.x else -math.inf
        self.seams = [*(seam for seam in self.seams if seam < x), x]
        self.cuts.append(length)
        self._leaf_full_at = length // LEAF * LEAF + LEAF
        self._leaves.cut(length // LEAF)
        nodes = length // LEAF
        for level in self._nodes:
            nodes //= FAN
            level.cut(nodes)

    def extent(self, start: int, stop: int) -> Extent:
        """Of the points `start` <= index < `stop`; in O(log n)."""
        lows, highs = [math.inf], [-math.inf]
        gaps = self._collect(start, stop, lows, highs)
        return Extent(min(lows), max(highs), gaps)

    def columns(self, x0: float, x1: float, columns: int) -> list[Column | None]:
        """`columns` equal parts of x0..x1, the last one with x1 itself; None where a part has no point."""
        width = (x1 - x0) / columns
        return self.columns_between([*(x0 + place * width for place in range(columns)), math.nextafter(x1, math.inf)])

    def columns_between(self, edges: Sequence[float]) -> list[Column | None]:
        """One column for every two neighbours of `edges`, which ascend: the left one is in it, the right not."""
        stops: list[int] = []
        place = 0
        for edge in edges:
            place = bisect_left(self.x, edge, place)
            stops.append(place)
        return [self._column(start, stop) if start < stop else None for start, stop in pairwise(stops)]

    @property
    def pyramid_bytes(self) -> int:
        """What is kept beyond the raw values."""
        return self._leaves.bytes + sum(level.bytes for level in self._nodes)

    def _column(self, start: int, stop: int) -> Column:
        if stop - start == 1:  # most columns of a short run: worth not walking the pyramid for
            value = self.y[start]
            if math.isfinite(value):
                return Column(start, stop, value, value, value, value, 0)
            return Column(start, stop, math.inf, -math.inf, math.nan, math.nan, 1)
        extent = self.extent(start, stop)
        if extent.gaps == 0:
            return Column(start, stop, extent.low, extent.high, self.y[start], self.y[stop - 1], 0)
        if extent.gaps == stop - start:
            return Column(start, stop, math.inf, -math.inf, math.nan, math.nan, extent.gaps)
        first, last = self._finite(start, stop), self._finite(stop - 1, start - 1)
        return Column(start, stop, extent.low, extent.high, first, last, extent.gaps)

    def _finite(self, start: int, stop: int) -> float:
        """The first finite value on the way from `start` to just before `stop`; there is one."""
        step = 1 if start < stop else -1
        leaves = self._leaves
        place = start
        while not math.isfinite(self.y[place]):
            leaf = place // LEAF
            if leaf < len(leaves) and leaves.gaps[leaf] == LEAF:
                place = (leaf + 1) * LEAF if step > 0 else leaf * LEAF - 1
            else:
                place += step
        return self.y[place]

    def _collect(self, start: int, stop: int, lows: list[float], highs: list[float]) -> int:
        """Adds the extremes of raw values and of nodes, as high up as they go, that together are `start`..`stop`."""
        first, last = -(-start // LEAF), min(stop // LEAF, len(self._leaves))
        if first >= last:
            return self._collect_raw(start, stop, lows, highs)
        gaps = self._collect_raw(start, first * LEAF, lows, highs) + self._collect_raw(last * LEAF, stop, lows, highs)
        level: _Leaves | _Nodes = self._leaves
        for above in self._nodes:
            upper_first, upper_last = -(-first // FAN), min(last // FAN, len(above))
            if upper_first >= upper_last:
                break
            gaps += level.collect(first, upper_first * FAN, lows, highs)
            gaps += level.collect(upper_last * FAN, last, lows, highs)
            level, first, last = above, upper_first, upper_last
        return gaps + level.collect(first, last, lows, highs)

    def _collect_raw(self, start: int, stop: int, lows: list[float], highs: list[float]) -> int:
        """Of raw values; a leaf without gaps spares the look for them."""
        if start >= stop:
            return 0
        values = self.y[start:stop]
        leaf = start // LEAF
        known_whole = leaf == (stop - 1) // LEAF and leaf < len(self._leaves) and self._leaves.gaps[leaf] == 0
        extent = Extent(min(values), max(values), 0) if known_whole else _extent_of(values)
        lows.append(extent.low)
        highs.append(extent.high)
        return extent.gaps

    def _close_leaf(self) -> None:
        """The next `LEAF` raw values are complete."""
        self._leaves.append()
        self._leaf_full_at += LEAF
        level: _Leaves | _Nodes = self._leaves
        points = LEAF
        for depth in range(len(self._nodes) + 1):
            if len(level) % FAN:
                return
            if depth == len(self._nodes):
                self._nodes.append(_Nodes())
            self._nodes[depth].append(self.extent((len(level) - FAN) * points, len(level) * points))
            points *= FAN
            level = self._nodes[depth]

    def _go_back(self, x: float) -> None:
        if not math.isfinite(x):
            raise ValueError(f"{self.name}: a point at {x} has no place.")
        self.truncate_from(x)


def _extent_of(values: Sequence[float]) -> Extent:
    # One NaN or infinity makes the sum no number; a sum that overflows only costs the longer way.
    if math.isfinite(sum(values)):
        return Extent(min(values), max(values), 0)
    finite = [value for value in values if math.isfinite(value)]
    return Extent(min(finite, default=math.inf), max(finite, default=-math.inf), len(values) - len(finite))
