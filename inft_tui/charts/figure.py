"""A whole chart: title with the last values, axes with labels, marks, cursor; and what of it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inft_tui.charts.cells import BLANK, Cell, Changed, cells_of, difference, differences
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.ink import BAND_STYLES, LINE_STYLES
from inft_tui.charts.plot import Plot, Viewport
from inft_tui.charts.scale import (
    Domain,
    duration,
    labels,
    log_labels,
    log_ticks,
    log_time_ticks,
    ticks,
    time_ticks,
    value_ticks,
)
from inft_tui.charts.shown import Shown
from inft_tui.charts.title import title
from inft_tui.charts.view import Counted, View

STYLES = (
    *LINE_STYLES, *BAND_STYLES, BLANK.style,
    "title", "value", "label", "axis", "grid", "cursor", "note", "gap", "alert", "seam", "checkpoint", "evaluation",
)  # fmt: skip
"""Every name of a style that a figure uses."""

# A mark that is met by another in one column: what one must not miss stays.
_RANKS = ("evaluation", "checkpoint", "resume", "seam", "alert", "gap")
_GUTTER_FROM = 24
"""Columns from which on the value axis has room beside the curve."""
_MOST_TICKS = 8


@dataclass
class _Layout:
    """Which rows and columns are what."""

    width: int
    height: int
    gutter: int = 0
    title: int = field(init=False)
    lane: int = field(init=False)
    labels: int = field(init=False)

    def __post_init__(self) -> None:
        self.title = 1 if self.height >= 3 else 0
        self.labels = 1 if self.height >= 6 and self.width >= _GUTTER_FROM else 0
        self.lane = 1 if self.height >= 7 else 0

    @property
    def plot_width(self) -> int:
        return max(1, self.width - self.gutter)

    @property
    def plot_height(self) -> int:
        return max(1, self.height - self.title - self.lane - self.labels)

    @property
    def ticks_y(self) -> int:
        return max(1, min(_MOST_TICKS, self.plot_height // 3))


class Figure:
    """A chart in `width` x `height` cells, from 1x1 up.

    Attributes:
        rows: of cells, from the top; each of the whole width.
    """

    def __init__(self, shown: Shown, view: View, width: int, height: int, glyphs: Glyphs) -> None:
        self.shown = shown
        self.view = view
        self.glyphs = glyphs
        self.rows: list[list[Cell]] = []
        self.viewport: Viewport | None = None
        self._width, self._height = width, height
        self._plot: Plot | None = None
        self._layout = _Layout(width, height)
        self._ticks_x: list[int] = []
        self._ticks_y: list[int] = []
        self._labels_y: dict[int, str] = {}
        self._marks: dict[int, str] = {}
        self._marks_read = 0
        self.redraw()

    @property
    def plot_width(self) -> int:
        """Columns of the plot."""
        return self._layout.plot_width

    def redraw(self) -> None:
        """Draws everything anew."""
        layout = self._layout = _Layout(self._width, self._height)
        curves = [curve for _, curve in self.shown.curves]
        self.viewport = self._viewport(layout)
        if self.viewport is None:
            self.rows = self._without_a_plot()
            self._plot = None
            return
        values, texts = self._value_ticks(self.viewport)
        if self._width >= _GUTTER_FROM:
            layout.gutter = max([5, *map(len, texts)]) + 1
        self._plot = Plot(curves, self.viewport, layout.plot_width, layout.plot_height, self.glyphs)
        placed = [(self._plot.row_of(value), text) for value, text in zip(values, texts, strict=True)]
        self._labels_y = {row: text for row, text in placed if row is not None}
        self._marks, self._marks_read = {}, 0
        self._read_marks()
        labels_row = self._x_labels()
        self.rows = [[BLANK] * self._width for _ in range(self._height)]
        for row in range(layout.plot_height):
            self.rows[layout.title + row][: layout.gutter] = self._gutter(row)
        self._compose(range(layout.plot_width))
        if layout.labels:
            self.rows[-1] = labels_row
        self._compose_lane()
        self._compose_title()

    def grow(self) -> list[Changed]:
        """Draws what came since; what of it is to be sent to the screen."""
        before = self.viewport
        if self._plot is None or self._viewport(self._layout) != before:
            old = self.rows
            self.redraw()
            return differences(old, self.rows)
        old_marks, was_blank = self._marks.copy(), self._plot.is_blank
        self._read_marks()
        columns = self._plot.grow()
        if self._plot.is_blank != was_blank:
            old = self.rows
            self.redraw()
            return differences(old, self.rows)
        if old_marks != self._marks:
            columns = range(self._layout.plot_width)
        first_row, left = self._layout.title, self._layout.gutter
        rows = range(first_row, first_row + self._layout.plot_height)
        span = slice(left + columns.start, left + columns.stop)
        old_parts = [self.rows[row][span] for row in rows]
        self._compose(columns)
        changed = [
            Changed(row, span.start + start, span.start + stop)
            for row, old_part in zip(rows, old_parts, strict=True)
            if (found := difference(old_part, self.rows[row][span])) is not None
            for start, stop in [found]
        ]
        return changed + self._rewritten(self._compose_lane, rows.stop) + self._rewritten(self._compose_title, 0)

    def moved(self) -> list[Changed]:
        """Draws the cursor where it is now."""
        if self._plot is None:
            return []
        old = [[*row] for row in self.rows]
        self._compose(range(self._layout.plot_width))
        self._compose_title()
        return differences(old, self.rows)

    def _viewport(self, layout: _Layout) -> Viewport | None:
        shown = self.shown
        curves = [curve for _, curve in shown.curves]
        return self.view.viewport(curves, shown.end, layout.ticks_y, from_zero=shown.from_zero)

    def _rewritten(self, write: Callable[[], None], row: int) -> list[Changed]:
        if row >= len(self.rows):
            return []
        old = self.rows[row][:]
        write()
        found = difference(old, self.rows[row])
        return [] if found is None else [Changed(row, *found)]

    def _compose(self, columns: range) -> None:
        """The plot's cells, and what shows between them."""
        plot, layout, glyphs = self._plot, self._layout, self.glyphs.value
        if plot is None or not columns:
            return
        grid = Cell(glyphs.grid, "grid")
        behind = {
            column: Cell(glyphs.seam, "seam") for column, kind in self._marks.items() if kind in ("seam", "resume")
        }
        cursor = self._cursor_column()
        if cursor is not None:
            behind[cursor] = Cell(glyphs.cursor, "cursor")
        span = slice(layout.gutter + columns.start, layout.gutter + columns.stop)
        for row in range(layout.plot_height):
            ground = grid if row in self._labels_y and layout.lane else BLANK
            cells = plot.rows[row][columns.start : columns.stop]
            self.rows[layout.title + row][span] = (
                cells if ground is BLANK else [ground if cell is BLANK else cell for cell in cells]
            )
            for column, mark in behind.items():
                if column in columns and plot.rows[row][column] is BLANK:
                    self.rows[layout.title + row][layout.gutter + column] = mark
        for row, outside in ((0, plot.above), (layout.plot_height - 1, plot.below)):
            for column in outside:
                if column in columns:
                    mark = Cell(glyphs.above if row == 0 else glyphs.below, "gap")
                    self.rows[layout.title + row][layout.gutter + column] = mark
        if not layout.lane:
            for column in plot.gaps:
                if column in columns:
                    self.rows[layout.title + layout.plot_height - 1][layout.gutter + column] = Cell(
                        glyphs.marks["gap"], "gap"
                    )

        if plot.is_blank and self.view.window is not None:
            self._say_where_points_are()

    def _say_where_points_are(self) -> None:
        """In the middle of a window that holds none."""
        layout, key = self._layout, self.shown.key_for_all
        text = f"no points here; {key} shows all" if key else "no points here"
        written = cells_of(text, "note", layout.plot_width, self.glyphs.value.ellipsis)
        start = layout.gutter + (layout.plot_width - len(written)) // 2
        self.rows[layout.title + layout.plot_height // 2][start : start + len(written)] = written

    def _compose_lane(self) -> None:
        """The x axis, which is also where marks stand."""
        plot, layout, glyphs = self._plot, self._layout, self.glyphs.value
        if plot is None or not layout.lane:
            return
        line = [Cell(glyphs.horizontal, "axis")] * layout.plot_width
        for column in self._ticks_x:
            line[column] = Cell(glyphs.tick_x, "axis")
        for column, kind in [*self._marks.items(), *((column, "gap") for column in plot.gaps)]:
            line[column] = Cell(glyphs.marks[kind], "seam" if kind == "resume" else kind)
        gutter = [BLANK] * (layout.gutter - 1) + [Cell(glyphs.corner, "axis")] if layout.gutter else []
        self.rows[layout.title + layout.plot_height] = gutter + line

    def _compose_title(self) -> None:
        if self._layout.title:
            said = self._mark_at_cursor()
            outside = self._plot is not None and bool(self._plot.above or self._plot.below)
            self.rows[0] = title(self.shown, self.view, self._width, self.glyphs.value, said, outside=outside)

    def _mark_at_cursor(self) -> str:
        """What is to be said about the last mark in the cursor's column; "" = nothing."""
        column = self._cursor_column()
        if column is None or self._plot is None or column not in self._marks:
            return ""
        axis = self.shown.curves[0][1].axis
        found = [mark for mark in self.shown.marks if self._plot.column_of(axis.position(mark.x)) == column]
        return found[-1].text if found else ""

    def _cursor_column(self) -> int | None:
        if self.view.cursor is None or self._plot is None or not self.shown.curves:
            return None
        return self._plot.column_of(self.shown.curves[0][1].axis.position(self.view.cursor))

    def _read_marks(self) -> None:
        """Places the marks that came since; of several in one column the gravest stays."""
        if self._plot is None or not self.shown.curves:
            return
        axis = self.shown.curves[0][1].axis
        known = self.glyphs.value.marks
        for mark in self.shown.marks[self._marks_read :]:
            column = self._plot.column_of(axis.position(mark.x))
            if column is not None and mark.kind in known and mark.kind in _RANKS:
                held = self._marks.get(column, _RANKS[0])
                self._marks[column] = max(held, mark.kind, key=_RANKS.index)
        self._marks_read = len(self.shown.marks)

    def _gutter(self, row: int) -> list[Cell]:
        layout, glyphs = self._layout, self.glyphs.value
        if not layout.gutter:
            return []
        text = self._labels_y.get(row)
        line = Cell(glyphs.vertical if text is None else glyphs.tick_y, "axis")
        return [*(Cell(char, "label") for char in (text or "").rjust(layout.gutter - 1)), line]

    def _value_ticks(self, viewport: Viewport) -> tuple[list[float], list[str]]:
        values = value_ticks(viewport.values, self._layout.ticks_y, log=viewport.log_y)
        return values, (log_labels if viewport.log_y else labels)(values)

    def _x_labels(self) -> list[Cell]:
        """The row of labels under the x axis; the ticks of those that have room are kept for the axis."""
        plot, layout, viewport = self._plot, self._layout, self.viewport
        line = [BLANK] * self._width
        self._ticks_x = []
        if plot is None or viewport is None or not layout.labels:
            return line
        unit = self.view.counted.value
        room_for_unit = self._width - len(unit) - 1
        end = 0
        values, texts = self._position_ticks(viewport.positions, max(1, layout.plot_width // 12))
        for value, text in zip(values, texts, strict=True):
            column = plot.column_of(value)
            if column is None:
                continue
            at = layout.gutter + column
            start = max(0, min(at - len(text) // 2, self._width - len(text)))
            if start < end or start + len(text) > room_for_unit:
                continue
            self._ticks_x.append(column)
            line[start : start + len(text)] = [Cell(char, "label") for char in text]
            end = start + len(text) + 1
        line[self._width - len(unit) :] = [Cell(char, "note") for char in unit]
        return line

    def _position_ticks(self, shown: Domain, most: int) -> tuple[list[float], list[str]]:
        if self.view.log_x:
            values = (log_time_ticks if self.view.counted is Counted.TIME else log_ticks)(shown, most)
        elif self.view.counted is Counted.TIME:
            values = time_ticks(shown, most)
        else:
            values = ticks(shown, most)
        if self.view.counted is Counted.TIME:
            return values, [duration(value) for value in values]
        return values, (log_labels if self.view.log_x else labels)(values)

    def _without_a_plot(self) -> list[list[Cell]]:
        """Why there is nothing to see, in the middle."""
        rows = [[BLANK] * self._width for _ in range(self._height)]
        has_points = any(len(curve.series) for _, curve in self.shown.curves)
        reason = self.shown.nothing
        if has_points:
            reason = "no value above 0 for a logarithmic axis" if self.view.log_y else "no finite value here"
        written = cells_of(reason, "note", self._width, self.glyphs.value.ellipsis)
        start = (self._width - len(written)) // 2
        rows[self._height // 2][start : start + len(written)] = written
        if self._layout.title and self._height // 2:
            rows[0] = title(self.shown, self.view, self._width, self.glyphs.value, "")
        return rows
