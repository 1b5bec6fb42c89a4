"""Where nearly all values of a curve lie: a few wild ones must not flatten the rest into a line.

A value counts as wild where the ordinary ones would have less than an eighth of the height beside it, and where such
values stand in no more than a thirtieth of the curve: what comes oftener is what the curve does.
"""

from __future__ import annotations

from itertools import pairwise

from inft_tui.charts.series import LEAF, Series

PARTS = 64
"""The curve is looked at in so many parts of equal length; a wild value makes one of them wild."""
_LEAST_POINTS = 20
"""Nobody can say of fewer what is ordinary."""
_WILD_SHARE = 30
_FLATTENED = 8.0


class Ordinary:
    """The ordinary values of one curve, looked for again only when a part more has come: it takes about 1 ms."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self._known: tuple[float, float] = (0.0, 0.0)
        self._start = 0
        self._looked_at = 0
        self._cuts = 0

    def between(self, start: int, stop: int) -> tuple[float, float]:
        """Least and greatest ordinary value of the points `start` <= place < `stop`; inf, -inf where none is finite."""
        extent = self.series.extent(start, stop)
        count = stop - start
        if count < _LEAST_POINTS:
            return extent.low, extent.high
        known = self._looked_at
        if (
            (start, len(self.series.cuts)) != (self._start, self._cuts)
            or not known <= count < known + max(1, known // PARTS)
        ):  # fmt: skip
            self._known = _ordinary(self.series, start, stop)
            self._start, self._looked_at, self._cuts = start, count, len(self.series.cuts)
        low, high = self._known
        # What came since is ordinary unless it would flatten the rest.
        limit = _FLATTENED * (high - low)
        if limit <= 0:
            return extent.low, extent.high
        return (
            extent.low if high - extent.low <= limit or extent.low >= low else low,
            extent.high if extent.high - low <= limit or extent.high <= high else high,
        )


def _ordinary(series: Series, start: int, stop: int) -> tuple[float, float]:
    count = stop - start
    parts = min(PARTS, count)
    edges = [start + count * part // parts for part in range(parts + 1)]
    if count >= PARTS * LEAF:
        edges[1:-1] = [edge // LEAF * LEAF for edge in edges[1:-1]]  # where a leaf begins, no value is looked at
    extents = [series.extent(a, b) for a, b in pairwise(edges)]
    found = [extent for extent in extents if extent.low <= extent.high]
    if not found:
        return float("inf"), float("-inf")
    lows, highs = sorted(extent.low for extent in found), sorted(extent.high for extent in found)
    wild = max(1, len(found) // _WILD_SHARE)
    low, high = lows[wild] if len(lows) > wild else lows[0], highs[-1 - wild] if len(highs) > wild else highs[-1]
    limit = _FLATTENED * (high - low)
    if limit <= 0:  # an even line with a step in it: the step is what there is to see
        return lows[0], highs[-1]
    kept_low = next(value for value in lows if high - value <= limit)
    kept_high = next(value for value in reversed(highs) if value - low <= limit)
    return kept_low, kept_high
