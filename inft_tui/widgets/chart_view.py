"""A chart on a screen: the picture is `charts`' business, here its cells become strips and its changes regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from rich.color import Color, ColorType, blend_rgb
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from inft_tui.charts.cells import Cell, Changed
from inft_tui.charts.chart import Chart, Content
from inft_tui.charts.glyphs import CURVES, Glyphs
from inft_tui.charts.ink import BAND_STYLES, LINE_STYLES
from inft_tui.display.capabilities import Glyphs as GlyphsName
from inft_tui.display.palette import Palette

_ROLES = {
    "blank": "text",
    "title": "title",
    "value": "text",
    "label": "dim",
    "axis": "faint",
    "grid": "faint",
    "cursor": "accent",
    "note": "dim",
    "gap": "bad",
    "alert": "bad",
    "seam": "info",
    "checkpoint": "good",
    "evaluation": "dim",
}
_BAND_SHARE = 0.4
"""Of the curve's colour in its envelope's, the rest is the background: seen at once, and behind the curve."""

_FAR = 10
_ZOOM = 0.5
_PAN = 0.25


class ChartView(Widget):
    """A chart of whatever size it is given, from 8x3 up.

    It binds no keys; its actions are cursor_left, cursor_right, cursor_far_left, cursor_far_right, hide_cursor,
    zoom_in, zoom_out, pan_left, pan_right, toggle_follow, toggle_log_x, toggle_log_y, toggle_whole_range,
    cycle_smoothing and cycle_axis.
    """

    DEFAULT_CSS = "ChartView { width: 1fr; height: 1fr; }"

    def __init__(self, palette: Palette, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.chart = Chart(glyphs)
        self._styles_by_name = styles_of(palette)
        self._strips: dict[int, Strip] = {}

    def show(self, content: Content) -> None:
        """Shows something else. What it is of may grow: `points_added` says so."""
        self.chart.show(content)
        self._all_anew()

    def points_added(self) -> None:
        """Draws what has come, and sends only the cells that differ."""
        self._refresh(self.chart.points_added())
        if self.chart.is_behind:
            self.call_later(self.points_added)

    def end_at(self, end: float | None) -> None:
        """Another last step of the run."""
        self._refresh(self.chart.end_at(end))

    def recolour(self, palette: Palette, glyphs: Glyphs) -> None:
        """Another theme, or other characters."""
        self._styles_by_name = styles_of(palette)
        self.chart.use(glyphs)
        self._all_anew()

    def on_resize(self, event: events.Resize) -> None:
        """Draws for the new size."""
        self.chart.resize(self.size.width, self.size.height)
        self._all_anew()

    def render_line(self, y: int) -> Strip:
        """A row of the picture."""
        strip = self._strips.get(y)
        if strip is None:
            rows = self.chart.rows
            looks = self._styles_by_name
            strip = self._strips[y] = strip_of(rows[y], looks) if y < len(rows) else blank(self.size.width, looks)
        return strip

    def action_cursor_left(self) -> None:
        """The point in the next column to the left."""
        self._do(lambda: self.chart.move_cursor(-1))

    def action_cursor_right(self) -> None:
        """The point in the next column to the right."""
        self._do(lambda: self.chart.move_cursor(1))

    def action_cursor_far_left(self) -> None:
        """Ten columns to the left."""
        self._do(lambda: self.chart.move_cursor(-_FAR))

    def action_cursor_far_right(self) -> None:
        """Ten columns to the right."""
        self._do(lambda: self.chart.move_cursor(_FAR))

    def action_hide_cursor(self) -> None:
        """No cursor."""
        self._do(self.chart.hide_cursor)

    def action_zoom_in(self) -> None:
        """Half of what is shown, around the cursor."""
        self._do(lambda: self.chart.zoom(_ZOOM))

    def action_zoom_out(self) -> None:
        """Twice what is shown."""
        self._do(lambda: self.chart.zoom(1 / _ZOOM))

    def action_pan_left(self) -> None:
        """A quarter of the width back."""
        self._do(lambda: self.chart.pan(-_PAN))

    def action_pan_right(self) -> None:
        """A quarter of the width on."""
        self._do(lambda: self.chart.pan(_PAN))

    def action_toggle_follow(self) -> None:
        """Hold, or follow the run."""
        self._do(self.chart.toggle_follow)

    def action_toggle_log_x(self) -> None:
        """A logarithmic x axis, or an even one."""
        self._do(self.chart.toggle_log_x)

    def action_toggle_log_y(self) -> None:
        """A logarithmic value axis, or an even one."""
        self._do(self.chart.toggle_log_y)

    def action_toggle_whole_range(self) -> None:
        """The wildest values too, or only the ordinary ones."""
        self._do(self.chart.toggle_whole_range)

    def action_cycle_smoothing(self) -> None:
        """The next weight of smoothing, none among them."""
        self._do(self.chart.cycle_smoothing)

    def action_cycle_axis(self) -> None:
        """Steps, epochs or time."""
        self._do(self.chart.cycle_axis)

    def _do(self, change: Callable[[], list[Changed]]) -> None:
        self._refresh(change())
        if self.chart.is_behind:
            self.call_later(self.points_added)

    def _refresh(self, changed: Sequence[Changed]) -> None:
        if not changed:
            return
        for row in {change.row for change in changed}:
            self._strips.pop(row, None)
        self.refresh(*(Region(start, row, stop - start, 1) for row, start, stop in changed))

    def _all_anew(self) -> None:
        self._strips.clear()
        self.refresh()
        if self.chart.is_behind:
            self.call_later(self.points_added)


def strip_of(row: Sequence[Cell], looks: Mapping[str, Style]) -> Strip:
    """A row of a picture. Every segment has a style: Textual 8.2 fails on None where NO_COLOR is set."""
    return Strip(
        [
            Segment("".join([cell.char for cell in cells]), style)
            for style, cells in groupby(row, lambda cell: looks[cell.style])
        ],
        len(row),
    )


def blank(columns: int, looks: Mapping[str, Style]) -> Strip:
    """Nothing, so wide."""
    return Strip([Segment(" " * columns, looks["blank"])], columns)


def glyphs_for(name: GlyphsName) -> Glyphs:
    """What charts are drawn with on a terminal that can do so much."""
    return {"braille": Glyphs.BRAILLE, "block": Glyphs.BLOCKS, "ascii": Glyphs.ASCII}[name]


def styles_of(palette: Palette) -> Mapping[str, Style]:
    """What each style of a figure looks like."""
    lines = [palette.style(f"series-{place + 1}") for place in range(CURVES)]
    return {
        **{name: palette.style(role) for name, role in _ROLES.items()},
        **dict(zip(LINE_STYLES, lines, strict=True)),
        **{name: _receding(style) for name, style in zip(BAND_STYLES, lines, strict=True)},
    }


def _receding(style: Style) -> Style:
    """Nearer to the background; where colours are the terminal's own, it is asked for something dim."""
    front, back = style.color, style.bgcolor
    if front is None or back is None or {front.type, back.type} != {ColorType.TRUECOLOR}:
        return style + Style(dim=True)
    mixed = blend_rgb(back.get_truecolor(), front.get_truecolor(), _BAND_SHARE)
    return style + Style(color=Color.from_triplet(mixed))
