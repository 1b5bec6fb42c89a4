"""What happened lately to the runs that go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft.runs.clock import utc_now
from inft_tui.alert_lines import entries, filled, nothing
from inft_tui.display.spans import EMPTY, Line
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp
    from inft_tui.sentry import News


class AlertsScreen(ConsoleScreen):
    """The list, the newest first.

    Args:
        console: the app.
    """

    heading: ClassVar[str] = "What happened"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp) -> None:
        super().__init__(console)
        self._text = LineView(console.palette)
        self._selected: News | None = None
        self._first = 0

    def body(self) -> Widget:
        """The list."""
        return self._text

    def keys_read(self) -> tuple[tuple[str, str], ...]:
        """Any other key goes back too."""
        there = (("Enter", "open the run"), ("Up Down", "select")) if self.console_app.alarm.news else ()
        return (*there, ("Esc", "back"))

    def on_resize(self) -> None:
        """Wraps anew."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    def tick(self) -> None:
        """What comes while it is shown is read."""
        self.console_app.alarm.read()
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Up and down select, Enter opens, any other key goes back."""
        event.stop()
        event.prevent_default()
        self.console_app.forget_notice()
        news = self._newest_first()
        if event.key in ("up", "down", "k", "j") and news:
            at = self._position(news) + (1 if event.key in ("down", "j") else -1)
            self._selected = news[max(0, min(at, len(news) - 1))]
            self._draw()
        elif event.key == "enter" and news:
            run = news[self._position(news)].run
            self.console_app.back()
            self.console_app.open_run(run.path)
        else:
            self.console_app.back()

    def _newest_first(self) -> list[News]:
        return [*reversed(self.console_app.alarm.news)]

    def _position(self, news: Sequence[News]) -> int:
        """Where the selected one is, whatever has come since; the newest where it is gone."""
        return next((at for at, item in enumerate(news) if item is self._selected), 0)

    def _draw(self) -> None:
        columns, rows = self._text.size
        if columns <= 0:
            return
        news = self.console_app.alarm.news
        if not news:
            self._text.show(nothing(self.console_app.alarm.opened))
            return
        newest = self._newest_first()
        selected = self._position(newest)
        self._selected = newest[selected]
        lines: list[Line] = []
        top = bottom = 0
        for number, entry in enumerate(entries(tuple(news), columns, utc_now())):
            lines.append(EMPTY)
            if number == selected:
                top, bottom = len(lines) - 1, len(lines) + len(entry)
                entry = [filled(line, columns) for line in entry]
            lines += entry
        self._first = max(0, min(self._first, top), bottom - rows)
        self._text.show(lines[self._first : self._first + rows])
        self.draw_bars()
