"""A curve smoothed as the values came, whatever part of it is on screen and at whatever width.

The mean of all finite values so far, each weighing `weight` times as much as the next one; divided by the sum of the
weights, so that the first values are not drawn towards zero. Only every `STRIDE`-th state is kept (122 KiB per million
points); what lies between is computed again from there, and so comes out the same to the last bit at every zoom.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

from inft_tui.charts.series import Series

STRIDE = 128
"""Points between two kept states: at most so many steps, about 5 microseconds, for one value."""


def smoothed_values(values: Iterable[float], weight: float) -> Iterator[float]:
    """All values of a `Smoothed` one after the other, to the last bit, for who wants all and has them at hand."""
    total = weights = 0.0
    for value in values:
        if value - value == 0:
            total = weight * total + value
            weights = weight * weights + 1
        yield total / weights if weights else math.nan


class Smoothed:
    """A series' smoothed values by their place in it. They are taken in by `advance`, a part at a time.

    Args:
        series: the raw values; may grow and may be cut short.
        weight: 0 (not smoothed) <= weight < 1; 0.98 looks back over some 50 points.
    """

    def __init__(self, series: Series, weight: float) -> None:
        if not 0 <= weight < 1:
            raise ValueError(f"A smoothing weight lies in 0..1, 1 itself excluded; got {weight}.")
        self.series = series
        self.weight = weight
        self._sums = array("d")
        self._weights = array("d")
        self._cuts_seen = len(series.cuts)
        self._sum = 0.0
        self._weight = 0.0
        self._length = 0

    def __len__(self) -> int:
        """Points taken in so far."""
        return self._length

    def advance(self, most: int) -> bool:
        """Takes up to `most` more points in; whether that was all there are. 100,000 take some 10 ms."""
        self._follow_cuts()
        values = self.series.y
        stop = min(len(values), self._length + most)
        for start in range(self._length, stop):
            if start % STRIDE == 0:
                self._sums.append(self._sum)
                self._weights.append(self._weight)
            value = values[start]
            if value - value == 0:
                self._sum = self.weight * self._sum + value
                self._weight = self.weight * self._weight + 1
        self._length = max(self._length, stop)
        return self._length == len(values)

    def value(self, place: int) -> float:
        """After the point at `place` < len(self); NaN while no value was finite."""
        if place == self._length - 1:
            total, weights = self._sum, self._weight
        else:
            total, weights = self._state_after(place)
        return total / weights if weights else math.nan

    @property
    def bytes(self) -> int:
        """What is kept."""
        return 16 * len(self._sums)

    def _state_after(self, place: int) -> tuple[float, float]:
        kept = place // STRIDE
        total, weights, weight = self._sums[kept], self._weights[kept], self.weight
        for value in self.series.y[kept * STRIDE : place + 1]:
            if value - value == 0:  # false for NaN and infinities, and quicker than to ask
                total = weight * total + value
                weights = weight * weights + 1
        return total, weights

    def _follow_cuts(self) -> None:
        """Forgets what the series has forgotten."""
        cuts = self.series.cuts[self._cuts_seen :]
        self._cuts_seen += len(cuts)
        if not cuts or min(cuts) >= self._length:
            return
        length = min(cuts)
        self._sum, self._weight = self._state_after(length - 1) if length else (0.0, 0.0)
        kept = -(-length // STRIDE)
        del self._sums[kept:]
        del self._weights[kept:]
        self._length = length
