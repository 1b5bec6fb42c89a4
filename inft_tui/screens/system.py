"""The System screen: the GPUs with their history, who is on them, the host, its disks, and whether it is ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from inft.runs.provenance import host_name
from inft.runs.visible import visible
from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line
from inft_tui.feeds.hardware_feed import HardwareFeed
from inft_tui.key_table import Place
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.system import rows
from inft_tui.system.history import Gauge, Small, gpu_charts, host_charts
from inft_tui.system.machine import Machine
from inft_tui.watched import Watched
from inft_tui.widgets.chart_view import ChartView, glyphs_for
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_ROWS = 3
CALM_S = 8.0
"""Between two drawings of nothing but figures that wobble."""
MOST_CHARTS = 6
CHART_COLUMNS = 36
"""With less, a chart has no room for its axes."""
CHARTS_FROM_ROWS = 19
"""Rows between the bars below which the figures go before their history."""
AIRY_FROM_ROWS = 30


class SystemScreen(ConsoleScreen):
    """The machine.

    Args:
        console: the app.
        machine: what is known of it, also while this screen is not shown.
    """

    DEFAULT_CSS = """
    SystemScreen ChartView { display: none; }
    """
    place: ClassVar[Place] = "system"
    heading: ClassVar[str] = "System"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp, machine: Machine) -> None:
        super().__init__(console)
        self._machine = machine
        self._watched: Watched | None = None
        self._gpus_text = LineView(console.palette)
        self._details = LineView(console.palette)
        glyphs = glyphs_for(console.capabilities.glyphs)
        self._views = [ChartView(console.palette, glyphs) for _ in range(MOST_CHARTS)]
        self._shown: list[Small] = []
        self._charts = Horizontal(*self._views)
        self._heights = (-1, -1)
        self._selected = 0
        self._first = 0
        self._is_stale = self._is_late = False
        self._drawn_at = float("-inf")
        self._drawn_with = (False, False, False)
        self._polled_at = float("-inf")

    def body(self) -> Widget:
        """The GPUs, their charts, and everything else below."""
        total = self.console_app.size.height - 3
        self._share_out(3 if total >= AIRY_FROM_ROWS else 1, _chart_rows(total))
        return Vertical(self._gpus_text, self._charts, self._details)

    def about(self) -> Line:
        """Which machine, and whose samples these are."""
        name = f"  {visible(host_name())}"
        if self._watched is not None and self._feed() is self._watched.hardware:
            return ((f"{name} · as sampled for {visible(self._watched.path.name)}", "bar-dim"),)
        return ((name, "bar-dim"),)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._machine.changed, self._machine.wobbled = self._changed, self._wobbled
        self.call_after_refresh(self.draw)

    def on_screen_suspend(self) -> None:
        """Another one is shown."""
        self._machine.changed = self._machine.wobbled = _nothing
        self._leave_run()

    def on_resize(self) -> None:
        """Shares the rows out anew."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """Has everything looked after."""
        self._choose_samples()
        now = time.monotonic()
        if self._watched is not None and now - self._polled_at >= 0.9 * CALM_S:
            self._polled_at = now
            self._watched.poll()
        self._machine.poll(now, sampling=self._is_sampling())
        if self._machine.is_waiting or self._is_late:
            self._is_late = False
            self._wobbled()

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        page = max(1, self._details.size.height - 1)
        moves = {"system.up": -1, "system.down": 1, "system.page-up": -page, "system.page-down": page}
        if name in moves:
            self._first += moves[name]
        elif name in ("system.next", "system.previous"):
            self._selected += 1 if name == "system.next" else -1
        elif name == "system.again":
            self._machine.again()
            self._machine.poll(time.monotonic(), sampling=self._is_sampling())
        elif name == "system.back":
            self.console_app.back()
            return True
        else:
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
        for view in self._views:
            view.recolour(palette, glyphs_for(self.console_app.capabilities.glyphs))

    def draw(self) -> None:
        """Draws what is known; only what differs is sent."""
        self._is_stale = False
        self._drawn_at, self._drawn_with = time.monotonic(), self._measures()
        columns, total = self.size.width, self.size.height - 3
        if columns <= 0 or total <= 0 or not self.is_current:
            return
        feed = self._feed()
        sight = self._machine.gpus.answer
        gpus = rows.gpus_of(feed.gpus if feed is not None else (), None if sight is None else sight.cards)
        self._selected = self._selected % len(gpus) if gpus else 0
        table = self._table(gpus, columns, max(2, total // 3))
        if total >= AIRY_FROM_ROWS:
            table = [EMPTY, *table, EMPTY]
        height = _chart_rows(total)
        wanted = self._wanted(feed, gpus, columns) if height else []
        if not wanted and self._machine.problem:
            height = 0
        if self._share_out(len(table), height):
            self.call_after_refresh(self.draw)
            return
        self._gpus_text.show(table)
        details = self._lines(gpus, columns)
        room = max(1, total - len(table) - height)
        self._first = max(0, min(self._first, len(details) - room))
        self._details.show(details[self._first :])
        self._draw_charts(wanted)
        self.draw_bars()

    def _changed(self) -> None:
        if not self._is_stale:
            self._is_stale = True
            self.call_later(self.draw)

    def _wobbled(self) -> None:
        """Draws at once what was not there before, and new values of what was there every now and then."""
        # A timer may be a little early.
        if self._measures() != self._drawn_with or time.monotonic() - self._drawn_at >= 0.9 * CALM_S:
            self._changed()
        else:
            self._is_late = True

    def _measures(self) -> tuple[bool, bool, bool]:
        """Whether there are samples, all those that were taken before, and a look at the host."""
        feed, watched, machine = self._feed(), self._watched, self._machine
        is_loaded = machine.is_loaded if watched is None or feed is machine.own else watched.is_loaded
        return feed is not None and feed.newest is not None, is_loaded, machine.host.answer is not None

    def _is_sampling(self) -> bool:
        """Whether the console has to take samples itself: no run here does, as far as its files are read."""
        return self._watched is None or (self._watched.is_loaded and self._watched.hardware.newest is None)

    def _feed(self) -> HardwareFeed | None:
        watched = self._watched
        return self._machine.own if watched is None or watched.hardware.newest is None else watched.hardware

    def _choose_samples(self) -> None:
        """Those of the chosen run where it goes on here, which began before the console did; else the console's own."""
        app = self.console_app
        live = next(
            (
                seen.run.path
                for seen in app.snapshot.runs
                if app.subjects.chosen in (seen.run.path, None)
                and seen.condition is not None
                and seen.condition.alive
                and not seen.condition.elsewhere
            ),
            None,
        )
        if live is None:
            self._leave_run()
            return
        watched = app.subjects.watched(live)
        if watched is not self._watched:
            self._leave_run()
            self._watched, self._polled_at = watched, float("-inf")
            watched.changed = self._wobbled

    def _leave_run(self) -> None:
        if self._watched is not None:
            self._watched.changed = _nothing
            self._watched = None

    def _table(self, gpus: list[rows.Gpu], columns: int, most: int) -> list[Line]:
        """The GPUs, as many as fit, the selected one among them."""
        if not gpus:
            look = self._machine.gpus
            return rows.no_gpu_lines(None if look.answer is None else look.answer.cards, look.waiting_s)
        room = max(1, most - 1)
        first = max(0, self._selected - room + 1)
        glyphs = self.console_app.capabilities.glyphs
        several = len(gpus) > 1
        return [
            rows.gpu_heading(columns),
            *(
                rows.gpu_row(gpu, columns, glyphs, selected=several and number == self._selected)
                for number, gpu in enumerate(gpus[first : first + room], first)
            ),
        ]

    def _share_out(self, table: int, charts: int) -> bool:
        """Gives the parts their rows; whether they had others, since everything is laid out anew then."""
        if self._heights == (table, charts):
            return False
        self._heights = (table, charts)
        self._gpus_text.styles.height, self._charts.styles.height = table, charts
        return True

    def _wanted(self, feed: HardwareFeed | None, gpus: list[rows.Gpu], columns: int) -> list[Small]:
        """As many charts as fit beside each other."""
        if feed is None:
            return []
        curves = gpus[self._selected].curves if gpus else None
        host = self._machine.host.answer
        cores = float((host.room.cores_of_machine if host is not None else None) or 0)
        wanted = gpu_charts(feed, curves) if curves is not None else []
        wanted += host_charts(feed, cores)
        return wanted[: min(MOST_CHARTS, max(1, columns // CHART_COLUMNS))]

    def _draw_charts(self, wanted: list[Small]) -> None:
        if len(wanted) != len(self._shown):
            for place, view in enumerate(self._views):
                view.display = place < len(wanted)
        for place, (view, small) in enumerate(zip(self._views, wanted, strict=False)):
            if place < len(self._shown) and _same(self._shown[place], small):
                view.points_added()
            else:
                view.chart.view = Gauge(most=small.most)
                view.show(small.content)
        self._shown = wanted

    def _lines(self, gpus: list[rows.Gpu], columns: int) -> list[Line]:
        """All that is below the charts."""
        machine, glyphs = self._machine, self.console_app.capabilities.glyphs
        sight = machine.gpus.answer
        lines: list[Line] = [EMPTY] if self.size.height - 3 >= AIRY_FROM_ROWS else []
        if gpus and sight is not None:
            lines += rows.program_lines(gpus[self._selected], sight, self._runs_by_process(), columns)
            lines += [rows.driver_line(sight.cards, columns), EMPTY]
        lines += rows.host_lines(machine.host.answer, columns, glyphs)
        if machine.problem:
            lines += rows.wrapped((("  ", "text"),), machine.problem, columns, "warn")
        lights = machine.lights
        lines += [EMPTY, rows.heading("Ready to train?")]
        lines += rows.light_lines(lights.answer, lights.waiting_s, columns)
        lines += [EMPTY, rows.heading("Disks")]
        return lines + rows.disk_lines(machine.folders, machine.mounts, columns, glyphs)

    def _runs_by_process(self) -> dict[int, str]:
        return {
            pid.pid: seen.run.run_id
            for seen in self.console_app.snapshot.runs
            if seen.condition is not None and seen.condition.alive and not seen.condition.elsewhere
            for pid in [seen.condition.pids.trainer]
            if pid is not None
        }


def _chart_rows(total: int) -> int:
    """Rows for the charts of so many; kept free for them before the first sample, so that nothing jumps."""
    return min(10, max(6, total // 4)) if total >= CHARTS_FROM_ROWS else 0


def _same(one: Small, other: Small) -> bool:
    """Whether a chart of the one shows the other as it grows."""
    return (
        one.most == other.most
        and one.content.title == other.content.title
        and one.content.since == other.content.since
        and [*one.content.series.values()] == [*other.content.series.values()]
    )


def _nothing() -> None:
    """Nobody wants to know."""
