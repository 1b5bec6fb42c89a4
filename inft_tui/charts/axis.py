"""Steps shown as something else that grows with them: epochs, or time."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from inft_tui.charts.series import Series


class Axis(Protocol):
    """Between a series' x and what the axis of a chart counts."""

    def position(self, x: float) -> float:
        """Where `x` lies on the axis."""

    def steps(self, positions: Sequence[float]) -> Sequence[float]:
        """The x at each of `positions`, which ascend; so does what is returned."""

    def frozen(self) -> Axis:
        """The axis as it is now, for another thread."""


class Steps:
    """The axis counts what the series counts."""

    def position(self, x: float) -> float:
        """`x` itself."""
        return x

    def steps(self, positions: Sequence[float]) -> Sequence[float]:
        """`positions` themselves."""
        return positions

    def frozen(self) -> Steps:
        """Itself, which never changes."""
        return self


class Since:
    """The axis counts from `origin` on, for a series over moments in seconds."""

    def __init__(self, origin: float) -> None:
        self._origin = origin

    def position(self, x: float) -> float:
        """Seconds from the origin to `x`."""
        return x - self._origin

    def steps(self, positions: Sequence[float]) -> Sequence[float]:
        """The moments at `positions`."""
        return [position + self._origin for position in positions]

    def frozen(self) -> Since:
        """Itself, which never changes."""
        return self


class Along:
    """The axis counts the values of `clock`, such as epochs or seconds, which were noted at steps.

    Between two notes it goes evenly; before the first and after the last it goes on as it went on the whole. A value
    that is not finite, or less than one before it, is passed over: an axis never runs backwards.
    """

    def __init__(self, clock: Series) -> None:
        self._clock = clock
        self._x = array("d")
        self._at = array("d")
        self._seen = 0
        self._cuts_seen = len(clock.cuts)

    def position(self, x: float) -> float:
        """Where `x` lies; x itself as long as fewer than two values are known."""
        self._take_in()
        return _between(x, self._x, self._at)

    def steps(self, positions: Sequence[float]) -> Sequence[float]:
        """The x at each of `positions`."""
        self._take_in()
        return [_between(position, self._at, self._x) for position in positions]

    def frozen(self) -> Along:
        """What is known now of the clock, which goes on."""
        self._take_in()
        frozen = Along(Series(self._clock.name))
        frozen._x, frozen._at = self._x[:], self._at[:]
        return frozen

    def _take_in(self) -> None:
        clock = self._clock
        if len(clock.cuts) > self._cuts_seen:
            self._cuts_seen = len(clock.cuts)
            self._seen = 0
            del self._x[:]
            del self._at[:]
        for place in range(self._seen, len(clock)):
            x, at = clock.x[place], clock.y[place]
            if math.isfinite(at) and (not self._x or (at > self._at[-1] and x > self._x[-1])):
                self._x.append(x)
                self._at.append(at)
        self._seen = len(clock)


def _between(value: float, known: array[float], wanted: array[float]) -> float:
    """The wanted value at `value` by a straight line between the two known ones around it."""
    if len(known) < 2:
        return value
    place = bisect_left(known, value)
    left, right = (0, len(known) - 1) if place in (0, len(known)) else (place - 1, place)
    share = (value - known[left]) / (known[right] - known[left])
    # Ends as they were noted, not a rounding beside them.
    return wanted[right] if share == 1 else wanted[left] + share * (wanted[right] - wanted[left])
