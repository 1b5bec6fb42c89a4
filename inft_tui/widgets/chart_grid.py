"""Several charts in one widget: what changes in one of them is sent alone, and another page costs no new widgets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from inft_tui.charts.cells import Changed
from inft_tui.charts.chart import Chart
from inft_tui.charts.glyphs import Glyphs
from inft_tui.display.palette import Palette
from inft_tui.display.spans import cut
from inft_tui.monitor.catalogue import Picture
from inft_tui.monitor.layout import Tile
from inft_tui.widgets.chart_view import strip_of, styles_of

MARGIN = 1
"""Blank columns on either side of a chart: no curve touches the next one's axis, and titles align with other text."""


BUSY_S, PAUSE_S = 0.010, 0.004
"""Of drawing at a time, and of leaving the screen to others then: a key that is pressed goes through half a dozen
queues before it is seen, and must not wait for a chart in each."""

SOON_DRAWN = 20_000
"""Points of a curve that take a few milliseconds to be drawn once more."""


@dataclass
class _Shown:
    """A chart in its place, the same one as long as it is shown: whoever draws it later finds it.

    Attributes:
        is_stale: whether it is still to be drawn for its picture and its size.
        is_due: whether its curves have grown since it was drawn.
        is_to_fit: whether its axes are to be chosen anew then.
    """

    picture: Picture
    tile: Tile
    chart: Chart
    is_stale: bool = True
    is_due: bool = False
    is_to_fit: bool = False

    def put(self, picture: Picture, tile: Tile) -> bool:
        """Gives it a picture and a place; whether it had another one."""
        same_size = (self.tile.width, self.tile.height) == (tile.width, tile.height)
        is_other = self.picture is not picture or self.tile != tile
        self.is_stale |= self.picture is not picture or not same_size
        self.picture, self.tile = picture, tile
        return is_other


class ChartGrid(Widget):
    """Charts in tiles, one of which may be selected.

    Args:
        palette: what the roles look like.
        glyphs: what charts are drawn with.
        id: Textual's.
    """

    DEFAULT_CSS = "ChartGrid { width: 1fr; height: 1fr; }"

    def __init__(self, palette: Palette, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._take_colours(palette)
        self._shown: list[_Shown] = []
        self._selected: str | None = None
        self._nothing = ""
        self._strips: dict[int, Strip] = {}
        self._is_at_work = False

    def say(self, text: str) -> None:
        """What stands in the middle where there is no chart."""
        if text != self._nothing:
            self._nothing = text
            self._strips.clear()
            self.refresh()

    def show(self, pictures: Sequence[Picture], tiles: Sequence[Tile], selected: str | None) -> None:
        """Shows each picture in its tile.

        Args:
            pictures: as many as there are tiles.
            tiles: where they stand.
            selected: the key of the selected one.
        """
        kept = {shown.picture.key: shown for shown in self._shown}
        before, self._shown = self._shown, []
        is_other = len(before) != len(tiles)
        for place, (picture, tile) in enumerate(zip(pictures, tiles, strict=True)):
            shown = kept.get(picture.key)
            if shown is None:
                shown = _Shown(picture, tile, Chart(self._glyphs))
            else:
                is_other |= shown.put(picture, tile)
            self._shown.append(shown)
            is_other = is_other or before[place] is not shown
        if is_other:
            self._selected = selected
            self._strips.clear()
            self.refresh()
        elif selected != self._selected:
            self._select(selected)
        self._begin()

    def points_added(self) -> None:
        """Draws what has come, and sends only the cells that differ."""
        for shown in self._shown:
            shown.is_due = True
        self._begin()

    def fit_anew(self) -> None:
        """Gives them the axes that fit best, after the past was read in slices; of a long run it would be late."""
        for shown in self._shown:
            if max(map(len, shown.picture.content.series.values()), default=0) <= SOON_DRAWN:
                shown.is_due = shown.is_to_fit = True
        self._begin()

    def end_at(self, end: float | None) -> None:
        """Another last step of the run."""
        for shown in self._shown:
            if shown.picture.content.since is None and not shown.is_stale:
                self._refresh(shown, shown.chart.end_at(end))

    def recolour(self, palette: Palette) -> None:
        """Another theme."""
        self._take_colours(palette)
        self._strips.clear()
        self.refresh()

    def picture_at(self, x: int, y: int) -> Picture | None:
        """The picture there, counted from the widget's corner."""
        for shown in self._shown:
            tile = shown.tile
            if tile.x <= x < tile.x + tile.width and tile.y <= y < tile.y + tile.height:
                return shown.picture
        return None

    def render_line(self, y: int) -> Strip:
        """A row of all charts that it crosses."""
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        blank = self._looks["blank"]
        columns = self.size.width
        segments: list[Segment] = []
        at = 0
        for shown in self._shown:
            tile, rows = shown.tile, shown.chart.rows
            left = tile.x + MARGIN
            if shown.is_stale or not tile.y <= y < tile.y + min(tile.height, len(rows)) or left < at:
                continue
            if left > at:
                segments.append(Segment(" " * (left - at), blank))
            looks = self._looks_selected if y == tile.y and shown.picture.key == self._selected else self._looks
            row = strip_of(rows[y - tile.y], looks)
            segments += row
            at = left + row.cell_length
        if not self._shown and y == self.size.height // 2:
            said = cut(self._nothing, columns)
            at = (columns + cell_len(said)) // 2
            segments = [Segment(said.rjust(at), self._looks["note"])]
        if at < columns:
            segments.append(Segment(" " * (columns - at), blank))
        return Strip(segments, max(at, columns))

    def _select(self, selected: str | None) -> None:
        for shown in self._shown:
            if shown.picture.key in (selected, self._selected):
                self._refresh(shown, [Changed(0, 0, shown.tile.width)])
        self._selected = selected

    def _refresh(self, shown: _Shown, changed: Sequence[Changed]) -> None:
        if not changed:
            return
        tile = shown.tile
        for row in {change.row for change in changed}:
            self._strips.pop(tile.y + row, None)
        regions = (Region(tile.x + MARGIN + start, tile.y + row, stop - start, 1) for row, start, stop in changed)
        self.refresh(*regions)

    def _begin(self) -> None:
        """Draws what is to be drawn, unless that is going on."""
        if not self._is_at_work:
            self._work()

    def _work(self) -> None:
        """Brings the charts that are due up to date, as many as time allows, and then goes on after what waits."""
        deadline = time.perf_counter() + BUSY_S
        self._is_at_work = False
        for shown in self._shown:
            while shown.is_stale or shown.is_due:
                if time.perf_counter() >= deadline:
                    self._is_at_work = True
                    asyncio.get_running_loop().call_later(PAUSE_S, self.call_later, self._work)
                    return
                if not shown.is_stale and shown.chart.is_behind:
                    shown.chart.smooth_on()
                else:
                    self._bring_up_to_date(shown)
                    shown.is_due = shown.chart.is_behind

    def _bring_up_to_date(self, shown: _Shown) -> None:
        tile = shown.tile
        if shown.is_to_fit:
            shown.chart.view.fit_anew()
            shown.is_to_fit = False
        if not shown.is_stale:
            self._refresh(shown, shown.chart.points_added())
            return
        shown.is_stale = False
        shown.chart.resize(max(1, tile.width - 2 * MARGIN), tile.height)
        if shown.chart.content is not shown.picture.content:
            shown.chart.show(shown.picture.content)
        self._refresh(shown, [Changed(row, 0, tile.width - MARGIN) for row in range(tile.height)])

    def _take_colours(self, palette: Palette) -> None:
        self._looks: Mapping[str, Style] = styles_of(palette)
        self._looks_selected = {**self._looks, "title": palette.style("title selected")}
