"""A widget that shows lines and, when they change, sends only the columns that did."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line, difference, fit, reserved


class LineView(Widget):
    """Shows as many lines as it is high; the rest of it is blank.

    Args:
        palette: what the roles look like.
        role: what is filled in with.
        id: Textual's.
    """

    DEFAULT_CSS = """
    LineView { height: 1fr; width: 1fr; }
    LineView.line { height: 1; }
    """

    def __init__(self, palette: Palette, *, role: str = "text", id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._role = role
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What it shows."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Shows `lines`."""
        before, self._lines = self._lines, tuple(lines)
        columns, rows = self.size
        changed = []
        for row in range(min(rows, max(len(before), len(self._lines)))):
            span = difference(self._fitted(before, row, columns), self._fitted(self._lines, row, columns))
            if span is not None:
                changed.append(Region(span[0], row, span[1] - span[0], 1))
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        columns = self.size.width
        style = self._palette.style
        segments = [Segment(text, style(role)) for text, role in reserved(self._fitted(self._lines, y, columns))]
        return Strip(segments, columns)

    def repaint(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        self._palette = palette
        self.refresh()

    def _fitted(self, lines: Sequence[Line], row: int, columns: int) -> Line:
        return fit(lines[row] if row < len(lines) else EMPTY, columns, self._role)
