"""Which runs are compared: all there are, narrowed by what is typed, each of them in or out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft.runs.directory import RunDirectory
from inft.runs.visible import visible
from inft_tui.comparison.group import Group
from inft_tui.comparison.marks import MOST, TOO_MANY, toggle
from inft_tui.deeds import Outcome
from inft_tui.display.line_edit import LineEdit
from inft_tui.display.spans import EMPTY, Line, fit, pad
from inft_tui.listing import Seen
from inft_tui.run_rows import age, matches, state_of
from inft_tui.screens.console_screen import BLINK_FREE_CURSOR, ConsoleScreen
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


class ChooseRunsScreen(ConsoleScreen):
    """The list.

    Args:
        console: the app, whose marks are changed where the choice is not given up.
        group: the runs that are compared.
    """

    heading: ClassVar[str] = "Runs to compare"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp, group: Group) -> None:
        super().__init__(console)
        self._group = group
        self._text = LineView(console.palette)
        self._typed = LineEdit()
        self._selected: Path | None = None
        self._marked = [run.path for run in group.runs]

    def body(self) -> Widget:
        """What was typed, and the runs that have it."""
        return self._text

    def about(self) -> Line:
        """How to use it."""
        return (("  Space takes one in or out, Enter shows them, Esc leaves it as it was", "bar-dim"),)

    def on_resize(self) -> None:
        """Draws as much as there is room for."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    def tick(self) -> None:
        """The listing may have changed."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Letters narrow the list."""
        event.stop()
        event.prevent_default()
        runs = self._found()
        if event.key in ("escape", "ctrl+c"):
            self.console_app.back()
            return
        if event.key == "enter":
            self.console_app.subjects.marked = self._marked
            self._group.choose(self._marked)
            self.console_app.back()
            return
        if event.key in ("up", "down"):
            self._select(runs, self._position(runs) + (1 if event.key == "down" else -1))
        elif event.key == "space":
            if runs:
                self._toggle(runs[self._position(runs)])
        else:
            edit = self._typed.pressed(event.key)
            if edit is None and event.character is not None and event.is_printable:
                edit = self._typed.typed(event.character)
            if edit is not None:
                self._typed, self._selected = edit, None
        self._draw()

    def _position(self, runs: Sequence[Seen]) -> int:
        """Where the selected run is, wherever a new listing has put it; the first where it is gone."""
        return next((at for at, seen in enumerate(runs) if seen.run.path == self._selected), 0)

    def _select(self, runs: Sequence[Seen], at: int) -> None:
        if runs:
            self._selected = runs[max(0, min(at, len(runs) - 1))].run.path

    def _toggle(self, seen: Seen) -> None:
        app = self.console_app
        app.forget_notice()
        self._selected = seen.run.path
        if not toggle(self._marked, seen.run.path):
            app.say(Outcome(TOO_MANY, went_well=False))
        self.draw_bars()

    def _found(self) -> list[Seen]:
        words = self._typed.text.lower().split()
        listed = self.console_app.snapshot.runs
        known = {seen.run.path for seen in listed}
        others = [Seen(RunDirectory(run.path)) for run in self._group.runs if run.path not in known]
        return [seen for seen in (*others, *listed) if matches(seen, words)]

    def _draw(self) -> None:
        columns, rows = self._text.size
        if columns <= 0 or not self.is_current:
            return
        typed: Line = ((f"  / {self._typed.text}", "title"), (BLINK_FREE_CURSOR, "accent"))
        marked = self._marked
        lines: list[Line] = [EMPTY, (*typed, (f"   {len(marked)} of at most {MOST}", "dim")), EMPTY]
        room = max(1, rows - len(lines))
        runs = self._found()
        at = self._position(runs)
        first = max(0, at - room + 1)
        for number, seen in enumerate(runs[first : first + room], first):
            line = _row(seen, columns, is_in=seen.run.path in marked)
            lines.append(tuple((text, f"{role} selected") for text, role in line) if number == at else line)
        if not runs:
            lines.append((("  No run has that in its name, profile or state.", "dim"),))
        self._text.show(lines)


def _row(seen: Seen, columns: int, *, is_in: bool) -> Line:
    mark, state, role = state_of(seen)
    name = max(12, min(48, columns - 40))
    return fit(
        (
            ("  [x] " if is_in else "  [ ] ", "accent" if is_in else "dim"),
            (pad(visible(seen.run.run_id), name), "title"),
            (f"  {pad(f'{mark} {state}', 12)}", role),
            (f"  {pad(seen.news.loss, 8, right=True)}", "text"),
            (f"  {pad(age(seen), 6, right=True)}", "dim"),
        ),
        columns,
        "text",
    )
