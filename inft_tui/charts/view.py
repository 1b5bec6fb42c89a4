"""What part of a chart is looked at, and how: following the run, or a window that a person chose."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from inft_tui.charts.axis import Axis
from inft_tui.charts.ordinary import Ordinary
from inft_tui.charts.plot import Curve, Viewport
from inft_tui.charts.scale import Domain, SteadyDomain, nice_domain

_ZOOM_LIMIT = 1e-9
"""Narrower than this share of where it lies, a window has no room for different numbers."""


_LEAST_SHARE = 0.01
"""Of the greatest value: less than that is never the whole height, or a memory that is full would look like noise."""
_FINE = 8
"""Intervals of a value axis by which its ends are rounded: a low chart, too, has to be filled by its curve."""


class Counted(Enum):
    """What an x axis counts."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


@dataclass
class View:
    """How a chart is looked at.

    Attributes:
        counted: what the x axis counts; windows and `end` are in it, the cursor is in steps.
        follow: whether x goes from the start to the end of the run, whatever has come so far.
        window: what else is shown of x.
        whole_range: whether the value axis shows the wildest value too.
        cursor: the step of the point whose values are read out; None = no cursor.
    """

    counted: Counted = Counted.STEP
    follow: bool = True
    window: Domain | None = None
    log_x: bool = False
    log_y: bool = False
    whole_range: bool = False
    cursor: float | None = None

    def __post_init__(self) -> None:
        self.fit_anew()
        self._ordinary: list[Ordinary] = []
        self._everything: Domain | None = None

    def fit_anew(self) -> None:
        """Forgets which axes fitted so far: what was read in slices looks then as if it had been read at once."""
        self._steady_x = SteadyDomain()
        self._steady_y = SteadyDomain()
        self._steady_for: tuple[int, bool, bool, Domain | None] | None = None

    def viewport(
        self, curves: Sequence[Curve], end: float | None, ticks_y: int, *, from_zero: bool = False
    ) -> Viewport | None:
        """What to draw; None where nothing can be drawn. The value axis is that of the last time wherever it fits.

        Args:
            curves: that are shown.
            end: the last step there will be; None = not known.
            ticks_y: intervals that there is room for on the value axis.
            from_zero: whether an even value axis begins at 0.
        """
        self._everything = self._from_start_to_end(curves, end)
        x = self._everything if self.follow or self.window is None else self.window
        if x is None:
            return None
        low, high = self._extremes(curves, x)
        if self.log_y and low <= 0 < high:
            low = min((_least_above_0(curve, x) for curve in curves), default=high)
        low, high = _with_room(low, high, from_zero=from_zero and not self.log_y)
        # Only the run itself may not move the axis; a person who has changed something gets what fits best.
        situation = (ticks_y, self.log_y, self.whole_range, None if self.follow else self.window)
        if situation != self._steady_for:
            kept, self._steady_y, self._steady_for = self._steady_y, SteadyDomain(), situation
            if low > high and not self.log_y:
                self._steady_y = kept
        self._steady_y.fit(low, high, max(ticks_y, _FINE), log=self.log_y)
        y = self._steady_y.domain
        return None if y is None else Viewport(x.low, x.high, y.low, y.high, self.log_x, self.log_y)

    def zoom(self, factor: float, shown: Viewport, around: float) -> None:
        """Shows `factor` of what is `shown`, with `around` in its place; more than 1 shows more. Ends following."""
        share = min(1.0, max(0.0, shown.across(around)))
        self._show(shown.x_at(share - share * factor), shown.x_at(share + (1 - share) * factor))

    def zoom_up_to(self, factor: float, shown: Viewport, newest: float) -> None:
        """Shows `factor` of what is `shown`, with `newest` at its right edge as far as that can be. Ends following."""
        stop = shown.across(newest)
        start = stop - factor
        if factor > 1 and self._everything is not None:
            stop += max(0.0, shown.across(self._everything.low) - start)
        self._show(shown.x_at(start), shown.x_at(stop))

    def pan(self, share: float, shown: Viewport) -> None:
        """Moves by `share` of what is shown, to the right if positive, as far as there is something. Ends following."""
        if self._everything is not None:
            share = max(share, min(0.0, shown.across(self._everything.low)))
            share = min(share, max(0.0, shown.across(self._everything.high) - 1))
        self._show(shown.x_at(share), shown.x_at(1 + share))

    def hold(self, shown: Viewport) -> None:
        """Stays at what is shown."""
        self._show(shown.x0, shown.x1)

    def follow_again(self) -> None:
        """Shows everything, from now on too."""
        self.follow, self.window = True, None

    def count(self, counted: Counted) -> None:
        """Counts something else on the x axis; everything is shown then, since a window would not fit."""
        self.counted = counted
        self._steady_x = SteadyDomain()
        self.follow_again()

    def toggle_log_x(self) -> None:
        """Changes between an even and a logarithmic x axis; shows everything."""
        self.log_x = not self.log_x
        self.follow_again()

    def _extremes(self, curves: Sequence[Curve], x: Domain) -> tuple[float, float]:
        """Of the values to be seen between the ends of `x`: all of them, or the ordinary ones."""
        all_series = [curve.series for curve in curves]
        if [ordinary.series for ordinary in self._ordinary] != all_series:
            self._ordinary = [Ordinary(series) for series in all_series]
        lows, highs = [math.inf], [-math.inf]
        for curve, ordinary in zip(curves, self._ordinary, strict=True):
            first, last = curve.axis.steps([x.low, x.high])
            start, stop = bisect_left(curve.series.x, first), bisect_right(curve.series.x, last)
            # A logarithmic axis has room for wild values.
            everything = self.whole_range or self.log_y
            low, high = curve.series.extent(start, stop)[:2] if everything else ordinary.between(start, stop)
            lows.append(low)
            highs.append(high)
        return min(lows), max(highs)

    def _show(self, low: float, high: float) -> None:
        if self._everything is not None:
            low, high = max(low, self._everything.low), min(high, self._everything.high)
        if math.isfinite(low) and math.isfinite(high) and high - low > _ZOOM_LIMIT * max(abs(low), abs(high)):
            self.follow, self.window = False, Domain(low, high)

    def _from_start_to_end(self, curves: Sequence[Curve], end: float | None) -> Domain | None:
        drawn = [curve for curve in curves if len(curve.series)]
        if not drawn and end is None:
            return None
        firsts = [curve.axis.position(curve.series.x[0]) for curve in drawn]
        lasts = [curve.axis.position(curve.series.x[-1]) for curve in drawn]
        axis: Axis | None = curves[0].axis if curves else None
        planned = end if end is None or axis is None else axis.position(end)
        # Steps have a plan, and it is kept to; a time that is only reckoned changes with every step.
        last = max([*lasts, *([] if planned is None else [planned])])
        if self.counted is Counted.STEP and planned is not None and last <= planned:
            high = planned
        else:
            self._steady_x.fit(min(0.0, *firsts, last), last, 5)
            steady = self._steady_x.domain
            high = last if steady is None else steady.high
        low = min(0.0, *firsts, high)
        if self.log_x:
            low = min((_first_above_0(curve) for curve in drawn), default=math.inf)
            low = low if low < high else high / 1000
        return Domain(low, high) if low < high and high > 0 else nice_domain(low, high, 5)


def _with_room(low: float, high: float, *, from_zero: bool) -> tuple[float, float]:
    """Extremes of values as the value axis is to show them."""
    if from_zero and low <= high:
        low, high = min(0.0, low), max(0.0, high)
    least = _LEAST_SHARE * max(abs(low), abs(high))
    if not 0 < high - low < least:  # a single value gets room anyway
        return low, high
    room = (least - (high - low)) / 2
    return low - room, high + room


def moved_cursor(curve: Curve, viewport: Viewport, columns: int, cursor: float | None, by: int) -> float | None:
    """The step of the curve's point that lies `by` columns of cells off the cursor, or the next point beyond that.

    Without a cursor it comes to the last point shown; the first and the last point shown are the ends.
    """
    first, last = curve.axis.steps([viewport.x0, viewport.x1])
    xs = curve.series.x
    start, stop = bisect_left(xs, first), bisect_left(xs, math.nextafter(last, math.inf))
    if start >= stop:
        return None
    if cursor is None:
        return xs[stop - 1]
    share = viewport.across(curve.axis.position(cursor)) + by / columns
    (wanted,) = curve.axis.steps([viewport.x_at(share)])
    place = bisect_left(xs, wanted, start, stop)
    here = bisect_left(xs, cursor, start, stop)
    place = max(place, here + 1) if by > 0 else min(place, here - 1)
    return xs[min(stop - 1, max(start, place))]


def _first_above_0(curve: Curve) -> float:
    (step,) = curve.axis.steps([math.nextafter(0.0, 1.0)])
    xs = curve.series.x
    places = range(bisect_left(xs, step), len(xs))
    return next((at for at in (curve.axis.position(xs[place]) for place in places[:1000]) if at > 0), math.inf)


def _least_above_0(curve: Curve, x: Domain) -> float:
    """A value near the least one above 0: the least of those columns that hold no other."""
    first, last = curve.axis.steps([x.low, x.high])
    if first >= last:
        return math.inf
    columns = curve.series.columns(first, last, 200)
    return min((column.low for column in columns if column is not None and column.low > 0), default=math.inf)
