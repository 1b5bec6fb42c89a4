"""The Compare screen: one figure of two to eight runs over each other, and the parameters in which they differ."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Vertical
from textual.widget import Widget

from inft_tui.chart_files import saver
from inft_tui.charts.chart import Chart
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.scale import duration
from inft_tui.charts.view import Counted
from inft_tui.comparison.group import Group
from inft_tui.comparison.overlay import Best, Overlay, counts_of, figures_of, is_lower_better, value_at
from inft_tui.comparison.rows import Row, legend, parameter_lines
from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line
from inft_tui.key_table import Place
from inft_tui.keys import shown_key
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.watched import CALM_S
from inft_tui.widgets.chart_keys import act_on_chart
from inft_tui.widgets.chart_view import ChartView, glyphs_for
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_ROWS = 3
AT_ONCE_S = 0.1
"""What is read by then appears at once; a chart that is drawn several times costs a slow link half a second."""
LOADING_S = 0.2
"""Between two drawings of what is being read."""
AIRY_FROM_ROWS = 30
LEAST_CHART_ROWS = 7
PANEL_SHARE = 0.35
"""Of the rows, at the most, for the parameters; the rest is the chart's."""
OPEN_PANEL_SHARE = 0.75
"""The same after somebody asked for more of them."""


class CompareScreen(ConsoleScreen):
    """The comparison.

    Args:
        console: the app.
        group: the runs, read on also while this screen is not shown.
    """

    place: ClassVar[Place] = "compare"
    heading: ClassVar[str] = "Compare"

    def __init__(self, console: ConsoleApp, group: Group) -> None:
        super().__init__(console)
        self._group = group
        self._legend = LineView(console.palette)
        # Without colours, braille curves look all the same; the markers of ASCII do not.
        plain = console.capabilities.colours == "none"
        self._glyphs = Glyphs.ASCII if plain else glyphs_for(console.capabilities.glyphs)
        self._view = ChartView(console.palette, self._glyphs)
        self._panel = LineView(console.palette)
        self._counted = Counted.STEP
        self._overlay: Overlay | None = None
        self._drawn: Overlay | None = None
        self._best: list[Best] = []
        self._heights = (-1, -1)
        self._is_open = False
        self._first = 0
        self._is_stale = self._is_late = False
        self._drawn_at = float("-inf")
        self._opened_at = time.monotonic()

    def body(self) -> Widget:
        """The legend, the chart, and what differs, in the rows that they will have: a terminal far away waits less."""
        rows = self.console_app.size.height - 3
        airy = rows >= AIRY_FROM_ROWS
        self._share_out(len(self._group.runs) + (3 if airy else 1), 2 if airy else 1)
        return Vertical(self._legend, self._view, self._panel)

    def about(self) -> Line:
        """Which figure, and of how many."""
        figures = figures_of([run.curves for run in self._group.runs])
        parts = [f"{len(self._group.runs)} runs" if len(self._group.runs) != 1 else "1 run"]
        if self._overlay is not None and self._overlay.name in figures:
            which = figures.index(self._overlay.name) + 1
            parts.insert(0, f"{self._overlay.content.title}, {which} of {len(figures)}")
        if not self._group.is_loaded:
            parts.append("reading …")
        return ((f"  {' · '.join(parts)}", "bar-dim"),)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._group.changed = self._changed
        self.call_after_refresh(self.draw)

    def on_screen_suspend(self) -> None:
        """Another one is shown."""
        self._group.changed = _nothing

    def on_resize(self) -> None:
        """Shares the rows out anew."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """Has the runs read on; what that brings is drawn when it comes."""
        self._group.poll()
        if self._is_late:
            self.draw()

    def next_tick_s(self) -> float:
        """Seconds until the next one; where all runs have ended, or are silent, little happens."""
        return CALM_S if self._group.is_calm else super().next_tick_s()

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        page = max(1, self._panel.size.height - 2)
        moves = {"compare.up": -1, "compare.down": 1, "compare.page-up": -page, "compare.page-down": page}
        if name in moves:
            self._first += moves[name]
        elif name == "compare.back":
            self.console_app.back()
            return True
        elif name in ("compare.next", "compare.previous"):
            self._go(1 if name == "compare.next" else -1)
        elif name == "compare.axis":
            counts = counts_of([run.curves for run in self._group.runs])
            at = counts.index(self._counted) if self._counted in counts else 0
            self._counted = counts[(at + 1) % len(counts)]
        elif name == "compare.parameters":
            self._is_open = not self._is_open
        elif name == "compare.runs":
            from inft_tui.screens.choose_runs import ChooseRunsScreen

            self.console_app.push_screen(ChooseRunsScreen(self.console_app, self._group))
            return True
        elif name in ("compare.csv", "compare.svg"):
            self._save(name)
        elif not (name.startswith("compare.") and act_on_chart(self.console_app, self._view, name, "")):
            return False
        self.draw()
        return True

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._first += WHEEL_ROWS
        self.draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._first -= WHEEL_ROWS
        self.draw()

    def recolour(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        super().recolour(palette)
        self._view.recolour(palette, self._glyphs)

    def draw(self) -> None:
        """Draws what is known; only what differs is sent."""
        self._is_stale = self._is_late = False
        self._drawn_at = time.monotonic()
        columns, total = self.size.width, self.size.height - 3
        if columns <= 0 or total <= 0 or not self.is_current:
            return
        if not self._group.is_loaded and self._drawn_at - self._opened_at < AT_ONCE_S:
            self._is_late = True
            return
        self._update_overlay()
        panel = parameter_lines(self._group.comparison(), self._group.runs, columns, self._key_for_runs())
        lines = self._legend_lines(columns)
        if total >= AIRY_FROM_ROWS:
            lines = [EMPTY, *lines, EMPTY]
            panel = [EMPTY, *panel]
        room = total - len(lines)
        share = OPEN_PANEL_SHARE if self._is_open else PANEL_SHARE
        most = min(int(room * share) + 1, room - (0 if self._is_open and total < AIRY_FROM_ROWS else LEAST_CHART_ROWS))
        height = max(0, min(len(panel), most))
        if self._share_out(len(lines), height):
            self.call_after_refresh(self.draw)
            return
        self._draw_chart()
        self._legend.show(lines)
        self._panel.show(self._scrolled(panel, height, columns))
        self.draw_bars()

    def _share_out(self, legend: int, panel: int) -> bool:
        """Gives the parts their rows; whether they had others, since everything is laid out anew then."""
        if self._heights == (legend, panel):
            return False
        self._heights = (legend, panel)
        self._legend.styles.height, self._panel.styles.height = legend, panel
        return True

    def _key_for_runs(self) -> str:
        row = next((row for row in self.console_app.keymap.rows if row.id == "compare.runs"), None)
        return "" if row is None else shown_key(row.keys[0])

    def _update_overlay(self) -> None:
        """The curves as they are now; others where another figure is looked at, or a file began anew."""
        curves = [run.curves for run in self._group.runs]
        figures = figures_of(curves)
        name = self._group.figure if self._group.figure in figures else next(iter(figures), "loss")
        if self._overlay is not None and self._overlay.shows(name, curves, self._counted):
            self._overlay.advance()
            return
        self._overlay = Overlay(name, curves, self._counted)
        lowest = is_lower_better(name)
        self._best = [] if lowest is None else [Best(series, lowest=lowest) for series in self._overlay.series]

    def _draw_chart(self) -> None:
        if self._overlay is None:
            return
        if self._drawn is self._overlay:
            self._view.points_added()
            self._view.end_at(self._overlay.end([run.curves for run in self._group.runs]))
            return
        self._drawn = self._overlay
        self._view.chart.view.counted = self._counted
        self._view.show(self._overlay.content)

    def _legend_lines(self, columns: int) -> list[Line]:
        overlay, cursor = self._overlay, self._view.chart.view.cursor
        if overlay is None:
            return []
        rows = []
        for place, (run, series) in enumerate(zip(self._group.runs, overlay.series, strict=True)):
            last = series.y[-1] if len(series) else None
            value = last if cursor is None else value_at(series, cursor)
            rows.append(Row(run, value, self._best[place].find() if self._best else None))
        lower = is_lower_better(overlay.name)
        return legend(
            rows,
            columns,
            value="last" if cursor is None else f"at {self._place_words(cursor)}",
            best="" if lower is None else "lowest" if lower else "highest",
            line="━" if self._glyphs is not Glyphs.ASCII else "",
            at=self._counted.value,
            markers="".join(key.strip() for key in self._glyphs.value.key),
        )

    def _place_words(self, x: float) -> str:
        if self._counted is Counted.TIME:
            return duration(x)
        return f"{x:,.0f}" if self._counted is Counted.STEP else f"{x:.3f}"

    def _scrolled(self, panel: list[Line], height: int, columns: int) -> list[Line]:
        """As much of the panel as fits; its heading stays, and its last line says what is below."""
        head = 2 if panel and panel[0] == EMPTY else 1
        rest, room = panel[head:], height - head
        if len(rest) <= room or room < 2:
            self._first = 0
            return panel[:height]
        self._first = max(0, min(self._first, len(rest) - room + 1))
        shown = rest[self._first : self._first + room - 1]
        below = len(rest) - self._first - len(shown)
        more = f"  … {below} more below" if below else "  that is all"
        return [*panel[:head], *shown, ((more, "dim"),)]

    def _go(self, by: int) -> None:
        """Another figure."""
        figures = figures_of([run.curves for run in self._group.runs])
        if figures:
            at = figures.index(self._overlay.name) if self._overlay and self._overlay.name in figures else 0
            self._group.figure = figures[(at + by) % len(figures)]

    def _save(self, name: str) -> None:
        """Saves what is shown, with the runs by their names instead of their letters."""
        shown, overlay = self._view.chart, self._overlay
        if overlay is None:
            return
        chart = Chart(shown.glyphs)
        chart.view.counted = self._counted
        named = dict(zip([run.path.name for run in self._group.runs], overlay.series, strict=True))
        chart.show(replace(overlay.content, series=named))
        while chart.weight != shown.weight:
            chart.cycle_smoothing()
        chart.view = copy(shown.view)
        chart.resize(self._view.size.width, self._view.size.height)
        while chart.is_behind and name == "compare.svg":
            chart.smooth_on()
        stem = f"compare-{overlay.name}"
        save = saver(chart, "csv" if name == "compare.csv" else "svg", stem)
        self.console_app.worker.ask(save, self.console_app.say)

    def _changed(self) -> None:
        """Draws soon; while runs are being read, which takes slices of a few ms, not after each of them."""
        if not self._group.is_loaded and time.monotonic() - self._drawn_at < LOADING_S:
            self._is_late = True
        elif not self._is_stale:
            self._is_stale = True
            self.call_later(self.draw)


def _nothing() -> None:
    """Nobody wants to know."""
