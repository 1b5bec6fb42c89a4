"""What the keys do and what the marks mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft_tui.display.spans import Line
from inft_tui.help_lines import help_lines
from inft_tui.key_table import Place
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.widgets.chart_view import glyphs_for
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_LINES = 3


class HelpScreen(ConsoleScreen):
    """The table as a person reads it.

    Args:
        console: the app.
        over: the screen it was opened from, whose keys come first.
    """

    heading: ClassVar[str] = "Keys"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp, over: ConsoleScreen) -> None:
        super().__init__(console)
        self._over: Place = over.place
        self._text = LineView(console.palette)
        self._first = self._count = 0

    def body(self) -> Widget:
        """The table."""
        return self._text

    def about(self) -> Line:
        """Whether there is more of it."""
        above, below = self._first > 0, self._first + self._text.size.height < self._count
        if not (above or below):
            return ()
        return ((f"  more {'above and below' if above and below else 'below' if below else 'above'}", "bar-dim"),)

    def keys_read(self) -> tuple[tuple[str, str], ...]:
        """How to scroll, where there is more, and how to leave it."""
        if self._count <= self._text.size.height:
            return (("Esc", "back"),)
        return (("Up Down", "scroll"), ("Space", "next page"), ("Esc", "back"))

    def on_resize(self) -> None:
        """Draws as much as there is room for."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._scroll(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._scroll(-WHEEL_LINES)

    def on_key(self, event: events.Key) -> None:
        """Some scroll, any other key goes back."""
        event.stop()
        event.prevent_default()
        page = max(1, self._text.size.height - 1)
        steps = {
            "up": -1,
            "k": -1,
            "down": 1,
            "j": 1,
            "pageup": -page,
            "b": -page,
            "pagedown": page,
            "space": page,
            "home": -self._count,
            "end": self._count,
        }
        if event.key in steps:
            self._scroll(steps[event.key])
        else:
            self.console_app.back()

    def _scroll(self, lines: int) -> None:
        self._first += lines
        self._draw()

    def _draw(self) -> None:
        columns, rows = self._text.size
        if columns <= 0:
            return
        console = self.console_app
        lines = help_lines(console.keymap, self._over, glyphs_for(console.capabilities.glyphs), columns, rows)
        self._count = len(lines)
        self._first = max(0, min(self._first, len(lines) - rows))
        self._text.show(lines[self._first : self._first + rows])
        self.draw_bars()
