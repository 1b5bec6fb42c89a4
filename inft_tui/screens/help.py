"""What the keys do, from the one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft_tui.display.spans import EMPTY, Line, pad
from inft_tui.key_table import PLACE_NAMES, Place
from inft_tui.keys import Keymap, shown_key
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


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
        self._first = 0

    def body(self) -> Widget:
        """The table."""
        return self._text

    def about(self) -> Line:
        """How to leave it."""
        return (("  any key goes back", "bar-dim"),)

    def on_resize(self) -> None:
        """Draws as much as there is room for."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    def on_key(self, event: events.Key) -> None:
        """Up and down scroll, any other key goes back."""
        event.stop()
        event.prevent_default()
        if event.key in ("up", "down", "pageup", "pagedown"):
            page = self._text.size.height
            self._first += {"up": -1, "down": 1, "pageup": -page, "pagedown": page}[event.key]
            self._draw()
        else:
            self.console_app.back()

    def _draw(self) -> None:
        lines = help_lines(self.console_app.keymap, self._over)
        self._first = max(0, min(self._first, len(lines) - self._text.size.height))
        self._text.show(lines[self._first :])


def help_lines(keymap: Keymap, over: Place) -> list[Line]:
    """The keys of a screen, and then those that are valid everywhere."""
    lines: list[Line] = []
    for place in dict.fromkeys((over, "everywhere")):
        lines += [EMPTY, ((f"  {PLACE_NAMES[place]}", "title"),)]
        for row in keymap.rows:
            if row.where == place:
                keys = ", ".join(shown_key(key) for key in row.keys)
                lines.append(((f"    {pad(keys, 16)}", "accent"), (pad(row.does, 46), "text"), (row.id, "dim")))
    return lines
