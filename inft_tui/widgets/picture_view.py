"""A widget that shows a picture in cells, or why there is none."""

from __future__ import annotations

from pathlib import Path

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from inft_tui.captions.decoding import Unshown
from inft_tui.captions.gallery import Frame, Gallery, Shown
from inft_tui.captions.mosaic import Mosaic
from inft_tui.captions.wrapping import wrapped
from inft_tui.display.palette import Palette
from inft_tui.display.spans import Line, fit, reserved

PICTURE_S = 0.12
"""What is wanted for so long is made ready; with a key held down nobody would see it."""


class PictureView(Widget):
    """Shows it in the upper left, beside a blank column.

    Args:
        palette: what the roles look like.
        gallery: makes pictures ready.
    """

    DEFAULT_CSS = """
    PictureView { height: 1fr; width: 1fr; }
    """

    def __init__(self, palette: Palette, gallery: Gallery) -> None:
        super().__init__()
        self._palette = palette
        self._gallery = gallery
        self._wanted: tuple[tuple[Path, ...], Frame] | None = None
        self._is_waiting = self._is_missing = False
        self._mosaic: Mosaic = ()
        self._lines: tuple[Line, ...] = ()

    def want(self, paths: tuple[Path, ...], frame: Frame) -> None:
        """Shows the first of these files that is there, as soon as it is ready; nothing until then."""
        found = self._gallery.find(paths, frame)
        if found is not None:
            self._wanted, self._is_missing, self._is_waiting = (paths, frame), False, False
            self._show(found.mosaic)
        elif self._wanted != (paths, frame) or self._mosaic:  # the gallery may have let go of what is shown
            self._wanted, self._is_missing, self._is_waiting = (paths, frame), False, True
            self._show(())
            self.set_timer(PICTURE_S, lambda: self._ask(paths, frame))

    def try_again(self) -> None:
        """What could not be shown may be there by now: it is looked for at the next call of `want`."""
        if self._is_missing:
            self._wanted = None

    def render_line(self, y: int) -> Strip:
        """One row of cells."""
        columns = self.size.width
        style = self._palette.style
        ground = style("text")
        if y < len(self._mosaic):
            strip = Strip([Segment(" ", ground), *(Segment(text, ground + kind) for text, kind, _ in self._mosaic[y])])
            return strip.adjust_cell_length(columns, ground)
        line = self._lines[y] if y < len(self._lines) else ()
        shown = reserved(fit(line, columns, "text"))
        return Strip([Segment(text, style(role)) for text, role in shown], columns)

    def repaint(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        self._palette = palette
        self.refresh()

    def _ask(self, paths: tuple[Path, ...], frame: Frame) -> None:
        """Has the picture made ready, unless another one is wanted by now."""
        if self._wanted == (paths, frame):
            self._gallery.ask(paths, frame, lambda found: self._made_ready(paths, frame, found))

    def _made_ready(self, paths: tuple[Path, ...], frame: Frame, found: Shown | Unshown) -> None:
        if self._wanted != (paths, frame) or not self.is_attached:
            return
        self._is_waiting = False
        if isinstance(found, Shown):
            self._show(found.mosaic)
            return
        self._is_missing = True
        words = wrapped(((f"No picture: {found.reason}.", "dim"),), max(2, frame.columns))
        self._show((), tuple(((" ", "text"), *line) for line in words))

    def _show(self, mosaic: Mosaic, lines: tuple[Line, ...] = ()) -> None:
        if mosaic is not self._mosaic or lines != self._lines:
            self._mosaic, self._lines = mosaic, lines
            self.refresh()
