"""The command palette: every command of the table, found by some of its letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft_tui.display.line_edit import LineEdit
from inft_tui.display.spans import EMPTY, Line, fit, pad
from inft_tui.key_table import Key
from inft_tui.keys import shown_key
from inft_tui.screens.console_screen import BLINK_FREE_CURSOR, ConsoleScreen
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


class CommandsScreen(ConsoleScreen):
    """The palette.

    Args:
        console: the app.
        over: the screen it was opened from, which does what is chosen.
    """

    heading: ClassVar[str] = "Commands"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp, over: ConsoleScreen) -> None:
        super().__init__(console)
        self._over = over
        self._text = LineView(console.palette)
        self._typed = LineEdit()
        self._at = 0

    def body(self) -> Widget:
        """What was typed, and the commands that fit."""
        return self._text

    def about(self) -> Line:
        """How to find one."""
        return (("  type some letters of what to do", "bar-dim"),)

    def keys_read(self) -> tuple[tuple[str, str], ...]:
        """All other keys are text."""
        return (("Enter", "do it"), ("Up Down", "select"), ("Esc", "back"))

    def on_resize(self) -> None:
        """Draws as much as there is room for."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    def on_key(self, event: events.Key) -> None:
        """Letters narrow the list."""
        event.stop()
        event.prevent_default()
        found = self._found()
        if event.key in ("escape", "ctrl+c"):
            self.console_app.back()
        elif event.key == "enter":
            self.console_app.back()
            if found:
                self._over.do(found[self._at].id)
        elif event.key in ("up", "down"):
            self._at = max(0, min(self._at + (1 if event.key == "down" else -1), len(found) - 1))
        else:
            edit = self._typed.pressed(event.key)
            if edit is None and event.character is not None and event.is_printable:
                edit = self._typed.typed(event.character)
            if edit is not None:
                self._typed, self._at = edit, 0
        self._draw()

    def _found(self) -> list[Key]:
        rows = self.console_app.keymap.at(self._over.place)
        valid = tuple(row for row in rows if row.where == "everywhere" or self._over.is_valid(row.id))
        return found(valid, self._typed.text)

    def _draw(self) -> None:
        columns, rows = self._text.size
        if columns <= 0:
            return
        lines: list[Line] = [EMPTY, ((f"  : {self._typed.text}", "title"), (BLINK_FREE_CURSOR, "accent")), EMPTY]
        room = max(1, rows - len(lines))
        first = max(0, self._at - room + 1)
        rows_found = self._found()
        does = min(max((len(row.does) for row in rows_found), default=0), max(20, columns - 16))
        for number, row in enumerate(rows_found[first : first + room], first):
            keys = ", ".join(shown_key(key) for key in row.keys)
            line = fit((("  ", "text"), (pad(row.does, does), "text"), (f"  {keys}", "dim")), columns, "text")
            lines.append(tuple((text, f"{role} selected") for text, role in line) if number == self._at else line)
        self._text.show(lines)


def found(rows: tuple[Key, ...], typed: str) -> list[Key]:
    """The commands in whose words all typed words occur."""
    words = typed.lower().split()
    return [row for row in rows if all(word in f"{row.does} {row.id}".lower() for word in words)]
