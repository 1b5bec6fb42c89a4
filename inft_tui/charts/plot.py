"""Curves in a rectangle of cells: which dots are set, and whose colour a cell has.

Every column of dots is one column of the pyramid, so the envelope of a curve holds every point, however many there are
to a column. Over the envelope lies the smoothed curve, or the envelope itself is the curve. What was drawn is kept, and
when points come only the cells from the last point on are drawn again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inft_tui.charts.axis import Axis, Steps
from inft_tui.charts.cells import BLANK, Cell
from inft_tui.charts.glyphs import CURVES, Glyphs
from inft_tui.charts.ink import BAND_STYLES, LINE_STYLES, cells_by_mask, dots_above
from inft_tui.charts.scale import Domain
from inft_tui.charts.series import Column, Series
from inft_tui.charts.smoothing import Smoothed

_Span = tuple[int, int] | None
"""Topmost and lowest dot of a column."""
_FAR = 1e6  # in dots


@dataclass(frozen=True)
class Viewport:
    """What the rectangle shows: x0 < x1 in the axis' own unit, y0 < y1; on a logarithmic axis all above 0."""

    x0: float
    x1: float
    y0: float
    y1: float
    log_x: bool = False
    log_y: bool = False

    def edges(self, columns: int) -> list[float]:
        """Of `columns` columns of equal width as seen; the last one includes x1."""
        if self.log_x:
            low, span = math.log10(self.x0), math.log10(self.x1 / self.x0)
            edges = [10 ** (low + span * place / columns) for place in range(columns)]
        else:
            edges = [self.x0 + (self.x1 - self.x0) * place / columns for place in range(columns)]
        return [self.x0, *edges[1:], math.nextafter(self.x1, math.inf)]

    def across(self, x: float) -> float:
        """Where `x` lies: 0 at x0, 1 at x1. -inf where a logarithmic axis has no place for it."""
        if not self.log_x:
            return (x - self.x0) / (self.x1 - self.x0)
        return math.log(x / self.x0) / math.log(self.x1 / self.x0) if x > 0 else -math.inf

    def x_at(self, share: float) -> float:
        """What lies at `share` of the way from x0 to x1."""
        return self.x0 * (self.x1 / self.x0) ** share if self.log_x else self.x0 + share * (self.x1 - self.x0)

    @property
    def values(self) -> Domain:
        """The value axis."""
        return Domain(self.y0, self.y1)

    @property
    def positions(self) -> Domain:
        """The x axis."""
        return Domain(self.x0, self.x1)


@dataclass(frozen=True)
class Curve:
    """A series as it is to be drawn.

    Attributes:
        style: 0..7, the curve's colour and, where there is none, its marker.
        smoothed: drawn over a dim envelope; without it the envelope is the curve.
        axis: what the x axis counts.
    """

    series: Series
    style: int = 0
    smoothed: Smoothed | None = None
    axis: Axis = field(default_factory=Steps)


class _Point(NamedTuple):
    """Where a curve leaves a column, or what it goes to, in dots across and down.

    `after` is the place in the series after it; `top` and `bottom` are the column's own dots.
    """

    across: float
    down: float
    after: int
    top: float
    bottom: float


class _Trace:
    """A curve's columns of dots, from the left edge to the right one."""

    def __init__(self, curve: Curve, edges: Sequence[float]) -> None:
        count = len(edges) - 1
        self.curve = curve
        self.positions = edges
        self.edges = list(curve.axis.steps(edges))
        self.columns: list[Column | None] = [None] * count
        self.smooth = [math.nan] * count
        """The smoothed curve after a column's last point."""
        self.line: list[_Span] = [None] * count
        self.band: list[_Span] = [None] * count
        self.length = 0
        self.smoothed_length = 0
        self.cuts_seen = len(curve.series.cuts)
        self.is_sparse = True

    def read(self, first: int) -> None:
        """Brings the columns from `first` on up to date."""
        series, smoothed = self.curve.series, self.curve.smoothed
        # Where an axis counts something else than steps, what lay ahead was a guess.
        self.edges[first:] = self.curve.axis.steps(self.positions[first:])
        self.columns[first:] = series.columns_between(self.edges[first:])
        self.length, self.cuts_seen = len(series), len(series.cuts)
        if smoothed is None:
            return
        self.smoothed_length = len(smoothed)
        self.smooth[first:] = [
            math.nan if column is None or column.stop > len(smoothed) else smoothed.value(column.stop - 1)
            for column in self.columns[first:]
        ]

    def first_changed(self) -> int | None:
        """The first column whose dots may differ since it was read; None where all are as they were."""
        moved = self._first_moved()
        series, smoothed = self.curve.series, self.curve.smoothed
        cuts = series.cuts[self.cuts_seen :]
        smoothed_length = 0 if smoothed is None else len(smoothed)
        if not cuts and (self.length, self.smoothed_length) == (len(series), smoothed_length):
            return moved
        kept = min([self.length, *cuts])
        if smoothed is not None:
            kept = min(kept, self.smoothed_length)
        # The column of the last point that is not new changes, and the line into it begins in the one before.
        column = bisect_right(self.edges, series.x[kept - 1]) - 1 if kept else 0
        column = self.before(min(max(0, column), len(self.columns) - 1), default=0)
        return column if moved is None else min(column, moved)

    def _first_moved(self) -> int | None:
        """The same for an axis whose count has been told since: what lies ahead on it is only a guess."""
        edges = self.curve.axis.steps(self.positions)
        if edges == self.edges:
            return None
        place = next(place for place, (old, new) in enumerate(zip(self.edges, edges, strict=True)) if old != new)
        ahead = bisect_left(self.curve.series.x, min(self.edges[place], edges[place])) == len(self.curve.series)
        return None if ahead else self.before(max(0, place - 1), default=0)

    def before(self, column: int, default: int) -> int:
        """The last column before `column` that has a value."""
        for place in range(column - 1, -1, -1):
            found = self.columns[place]
            if found is not None and not found.is_empty:
                return place
        return default


class Plot:
    """Curves drawn into `width` x `height` cells.

    Attributes:
        rows: the cells, from the top.
        gaps: columns of cells in which a value is NaN or infinite, or has no place on a logarithmic axis.
        above: columns of cells in which a value lies above the value axis, and `below` it.
    """

    def __init__(
        self, curves: Sequence[Curve], viewport: Viewport, width: int, height: int, glyphs: Glyphs = Glyphs.BRAILLE
    ) -> None:
        self.viewport = viewport
        self.width = width
        self.height = height
        self.gaps: set[int] = set()
        self.above, self.below = set[int](), set[int]()
        self.rows: list[list[Cell]] = [[BLANK] * width for _ in range(height)]
        self._glyphs = glyphs.value
        self._cells = cells_by_mask(glyphs)
        self._above = dots_above(glyphs, height)
        self._dots = height * self._glyphs.down
        self._columns = width * self._glyphs.across
        self._top = math.log10(viewport.y1) if viewport.log_y else viewport.y1
        bottom = math.log10(viewport.y0) if viewport.log_y else viewport.y0
        self._dots_per_unit = (self._dots - 1) / (self._top - bottom)
        edges = viewport.edges(self._columns)
        self._traces = [_Trace(curve, edges) for curve in curves]
        self._filled = 0
        self._draw(0)

    def grow(self) -> range:
        """Draws what came since; the columns of cells that may differ."""
        changed = [column for trace in self._traces if (column := trace.first_changed()) is not None]
        if not changed:
            return range(0)
        were_sparse = [trace.is_sparse for trace in self._traces]
        first, filled = min(changed) // self._glyphs.across, self._filled
        self._draw(first)
        if first and were_sparse != [trace.is_sparse for trace in self._traces]:
            first = 0  # points are no longer marked one by one
            self._draw(first)
        return range(first, max(filled, self._filled))

    @property
    def is_blank(self) -> bool:
        """Whether no point lies between its edges, and no line goes through."""
        return not (self._filled or self.gaps or self.above or self.below)

    def row_of(self, value: float) -> int | None:
        """The row of cells at `value`; None where it is off the plot."""
        dot = math.floor(self._down(value) + 0.5)
        return dot // self._glyphs.down if 0 <= dot < self._dots else None

    def column_of(self, position: float) -> int | None:
        """The column of cells at a place of the x axis; None where it is off the plot."""
        share = self.viewport.across(position)
        return min(self.width - 1, int(share * self.width)) if 0 <= share <= 1 else None

    def _draw(self, first_cell: int) -> None:
        """Draws the columns of cells from `first_cell` on."""
        first = first_cell * self._glyphs.across
        for kept in (self.gaps, self.above, self.below):
            kept.intersection_update(range(first_cell))
        for trace in self._traces:
            trace.read(first)
            trace.is_sparse = sum(column.count for column in trace.columns if column is not None) * 4 <= self.width
            raw = trace.line if trace.curve.smoothed is None else trace.band
            self._set_out(trace, first, raw, smooth=False)
            if trace.curve.smoothed is not None:
                self._set_out(trace, first, trace.line, smooth=True)
            for place in range(first, self._columns):
                column = trace.columns[place]
                if column is not None:
                    self._note(column, place // self._glyphs.across)
        filled, self._filled = self._filled, max((self._end(trace) for trace in self._traces), default=0)
        for cell in range(first_cell, max(filled, self._filled)):
            self._fill_cells(cell)

    def _note(self, column: Column, cell: int) -> None:
        """What of a column the value axis does not show."""
        if column.has_gap or (self.viewport.log_y and column.low <= 0):
            self.gaps.add(cell)
        if column.high > self.viewport.y1:  # of no value at all it is -inf
            self.above.add(cell)
        if column.low < self.viewport.y0 and not self.viewport.log_y:
            self.below.add(cell)

    def _end(self, trace: _Trace) -> int:
        """The column of cells after a curve's last dot."""
        for place in range(self._columns - 1, -1, -1):
            if trace.line[place] is not None or trace.band[place] is not None:
                return place // self._glyphs.across + 1
        return 0

    def _set_out(self, trace: _Trace, first: int, spans: list[_Span], *, smooth: bool) -> None:
        """The dots of the columns from `first` on: a column's own, and those on the way from the one before."""
        tops, bottoms = [math.inf] * self._columns, [-math.inf] * self._columns
        values = trace.curve.series.y
        behind = trace.before(first, default=-1)
        left = self._end_of(trace, behind, smooth) if behind >= 0 else self._outside(trace, smooth, left=True)
        for place in range(first, self._columns):
            column = trace.columns[place]
            if column is None or self._is_hidden(column):
                continue
            if smooth:
                if math.isnan(trace.smooth[place]):
                    continue
                begin = end = self._down(trace.smooth[place])
                top = bottom = begin
            else:
                begin, end = self._down(column.first), self._down(column.last)
                top, bottom = self._down(column.high), self._down(column.low)
            tops[place], bottoms[place] = min(tops[place], top), max(bottoms[place], bottom)
            if left is not None and left.after == column.start and math.isfinite(values[column.start]):
                # Columns that touch need no line between them.
                touches = left.across == place - 1 and top <= left.bottom + 1 and bottom >= left.top - 1
                if not touches:
                    _join(tops, bottoms, left, place, begin, first)
            goes_on = math.isfinite(values[column.stop - 1])
            left = _Point(place, end, column.stop, top, bottom) if goes_on else None
        right = self._outside(trace, smooth, left=False)
        if left is not None and right is not None and left.after == right.after - 1:
            _join(tops, bottoms, left, right.across, right.down, first)
        last_dot = self._dots - 1
        for place in range(first, self._columns):
            if tops[place] > bottoms[place]:
                spans[place] = None
                continue
            top_dot, bottom_dot = math.floor(tops[place] + 0.5), math.floor(bottoms[place] + 0.5)
            is_off = bottom_dot < 0 or top_dot > last_dot
            spans[place] = None if is_off else (max(0, top_dot), min(last_dot, bottom_dot))

    def _is_hidden(self, column: Column) -> bool:
        """Whether no value of it has a place on the value axis."""
        return column.is_empty or (self.viewport.log_y and column.high <= 0)

    def _end_of(self, trace: _Trace, place: int, smooth: bool) -> _Point | None:
        """Where a curve leaves a column that has a value."""
        column = trace.columns[place]
        if column is None or self._is_hidden(column) or not math.isfinite(trace.curve.series.y[column.stop - 1]):
            return None
        if not smooth:
            high, low = self._down(column.high), self._down(column.low)
            return _Point(place, self._down(column.last), column.stop, high, low)
        if math.isnan(trace.smooth[place]):
            return None
        down = self._down(trace.smooth[place])
        return _Point(place, down, column.stop, down, down)

    def _outside(self, trace: _Trace, smooth: bool, *, left: bool) -> _Point | None:
        """The nearest point beyond the left or the right edge: a curve goes on from there, or to there."""
        curve = trace.curve
        xs = curve.series.x
        place = bisect_left(xs, trace.edges[0]) - 1 if left else bisect_left(xs, trace.edges[-1])
        if not 0 <= place < len(xs) or not math.isfinite(curve.series.y[place]):
            return None
        if smooth and (curve.smoothed is None or place >= len(curve.smoothed)):
            return None
        value = curve.smoothed.value(place) if smooth and curve.smoothed is not None else curve.series.y[place]
        across = self.viewport.across(curve.axis.position(xs[place]))
        if math.isinf(across) or (self.viewport.log_y and value <= 0):
            return None
        down = self._down(value)
        return _Point(across * self._columns - 0.5, down, place + 1, down, down)

    def _fill_cells(self, cell: int) -> None:
        """One column of cells. The curve wins over any envelope; of several curves the last one has the colour.

        A column of dots is one whole number, a byte for each cell, so that a span costs the same whatever its height.
        """
        column = [BLANK] * self.height
        for is_line in (False, True):
            ink = 0
            for trace in self._traces:
                own = self._ink(trace.line if is_line else trace.band, cell)
                if not own:
                    continue
                ink |= own
                cells = self._cells[trace.curve.style + (CURVES if is_line else 0)]
                masks = ink.to_bytes(self.height, "little")
                if own == ink and not is_line:
                    column = [cells[mask] for mask in masks]
                    continue
                for row, touched in enumerate(own.to_bytes(self.height, "little")):
                    if touched:
                        column[row] = cells[masks[row]]
        for cells_of_row, found in zip(self.rows, column, strict=True):
            cells_of_row[cell] = found
        for trace in self._traces:
            if trace.is_sparse:
                self._mark_points(trace, cell)

    def _ink(self, spans: list[_Span], cell: int) -> int:
        """The dots of one curve in a column of cells."""
        ink = 0
        first = cell * self._glyphs.across
        for above, span in zip(self._above, spans[first : first + self._glyphs.across], strict=True):
            if span is not None:
                ink |= above[span[1] + 1] ^ above[span[0]]
        return ink

    def _mark_points(self, trace: _Trace, cell: int) -> None:
        """A single dot is hard to see: where points are few, each is marked."""
        style = trace.curve.style
        for column in trace.columns[cell * self._glyphs.across : (cell + 1) * self._glyphs.across]:
            if column is not None and not column.is_empty:
                row = self.row_of(column.last)
                if row is not None:
                    name = LINE_STYLES[style] if trace.curve.smoothed is None else BAND_STYLES[style]
                    self.rows[row][cell] = Cell(self._glyphs.point[style], name)

    def _down(self, value: float) -> float:
        """Dots from the centre of the topmost one down to `value`; far away is as good as anywhere off the plot."""
        if self.viewport.log_y:
            if value <= 0:
                return self._dots + 1.0
            value = math.log10(value)
        return max(-_FAR, min(_FAR, (self._top - value) * self._dots_per_unit))


def _join(tops: list[float], bottoms: list[float], start: _Point, x1: float, y1: float, first: int) -> None:
    """Widens the columns from `first` on by a straight line to x1, y1; one dot to a column unless it is steep."""
    x0, y0 = start.across, start.down
    slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
    half = 0.5 if abs(slope) > 1 else 0.0
    inset = math.copysign(half, slope)
    for place in range(max(first, math.ceil(x0)), min(len(tops) - 1, math.floor(x1)) + 1):
        # A steep line shares no dot with the next column's: each ends half a dot before the border.
        begin = y0 + slope * (place - half - x0) + inset if place - half > x0 else y0 + slope * max(0.0, place - x0)
        end = y0 + slope * (place + half - x0) - inset if place + half < x1 else y0 + slope * min(x1 - x0, place - x0)
        tops[place] = min(tops[place], begin, end)
        bottoms[place] = max(bottoms[place], begin, end)
