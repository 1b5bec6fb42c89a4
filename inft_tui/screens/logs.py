"""The Logs screen: what a run printed and wrote, of any size, followed, filtered, searched for errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.geometry import Size
from textual.widget import Widget

from inft.runs.visible import visible
from inft_tui.display.spans import Line
from inft_tui.key_table import Place
from inft_tui.log_lines import MARGIN, Look, heading, lines, nothing, number_columns
from inft_tui.logs.files import LogKind, logs_of, most_useful
from inft_tui.logs.pager import Move, Page, Pager
from inft_tui.logs.patterns import BadPattern, Matcher, matcher, spans
from inft_tui.screens.console_screen import ConsoleScreen, Prompt
from inft_tui.watched import SLICE_S
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_LINES = 3
SIDE_COLUMNS = 16
QUIET_LOOKS = 8
QUIET_S = 1.0
"""After so many looks at which nothing was written, the next ones are so far apart."""
MOST_LEFT = 2000
"""A line is cut there, see `inft_tui.logs.shown`."""


class LogsScreen(ConsoleScreen):
    """The logs of one run, or of another program.

    Args:
        console: the app.
        path: the run's folder, or the file.
    """

    place: ClassVar[Place] = "logs"
    heading: ClassVar[str] = "Logs"

    def __init__(self, console: ConsoleApp, path: Path) -> None:
        super().__init__(console)
        self._path = path
        self._text = LineView(console.palette)
        self._kinds: tuple[LogKind, ...] = ()
        self._at = 0
        self._pagers: dict[int, Pager] = {}
        self._moves: list[Move] = []
        self._is_looking = False
        self._page: Page | None = None
        self._drawn: tuple[Page, Look, Size] | None = None
        self._drawn_at = float("-inf")
        self._was_asked = False
        self._ticks = self._quiet = 0
        self._look = Look()
        self._typed, self._is_expression = "", False

    def body(self) -> Widget:
        """The heading and the lines."""
        return self._text

    def about(self) -> Line:
        """Whose logs."""
        return ((f"  {visible(self._path.name)}", "bar-dim"),)

    def on_mount(self) -> None:
        """The first look."""
        self.console_app.worker.ask(self._find, self._listed)

    def on_unmount(self) -> None:
        """Lets go of the files, once nobody reads them."""
        for pager in self._pagers.values():
            self.console_app.worker.ask(pager.close, lambda _: None)

    def on_resize(self) -> None:
        """Has as many lines read as there is room for."""
        super().on_resize()
        self.call_after_refresh(self._move)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self.call_after_refresh(self._move)

    def tick(self) -> None:
        """Has the file looked at, unless that is going on."""
        if self._kinds and not self._is_looking:
            self._ask()

    def next_tick_s(self) -> float:
        """Sooner where something is written."""
        return super().next_tick_s() if self._quiet < QUIET_LOOKS else QUIET_S

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        page = max(1, self._text.size.height - 3)
        moves: dict[str, Move] = {
            "logs.up": lambda pager: pager.scroll(-1),
            "logs.down": lambda pager: pager.scroll(1),
            "logs.page-up": lambda pager: pager.scroll(-page),
            "logs.page-down": lambda pager: pager.scroll(page),
            "logs.first": Pager.to_start,
            "logs.last": Pager.to_end,
            "logs.follow": lambda pager: pager.hold() if pager.is_following else pager.to_end(),
            "logs.next-error": lambda pager: pager.find_error(forward=True),
            "logs.previous-error": lambda pager: pager.find_error(forward=False),
        }
        if name in moves:
            self._move(moves[name])
            return True
        look = self._look
        match name:
            case "logs.back":
                if look.typed:
                    self._narrow("", regex=False)
                else:
                    self.console_app.back()
            case "logs.filter":
                self._ask_for("Show lines with", regex=False)
            case "logs.expression":
                self._ask_for("Show lines that match", regex=True)
            case "logs.next-file" | "logs.previous-file":
                self._open(self._at + (1 if name == "logs.next-file" else -1))
            case "logs.wrap":
                self._show(replace(look, wraps=not look.wraps, left=0))
            case "logs.left" | "logs.right":
                step = SIDE_COLUMNS if name == "logs.right" else -SIDE_COLUMNS
                self._show(replace(look, wraps=False, left=max(0, min(MOST_LEFT, look.left + step))))
            case "logs.numbers":
                self._show(replace(look, numbered=not self._is_numbered()))
            case _:
                return False
        return True

    def is_valid(self, name: str) -> bool:
        """Other files where there are any; errors and a filter where there are lines."""
        match name:
            case "logs.next-file" | "logs.previous-file":
                return len(self._kinds) > 1
            case "logs.filter" | "logs.expression" | "logs.next-error" | "logs.previous-error":
                return bool(self._look.typed) or self._page is None or self._page.size > 0
            case _:
                return True

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._move(lambda pager: pager.scroll(WHEEL_LINES))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._move(lambda pager: pager.scroll(-WHEEL_LINES))

    def draw(self) -> None:
        """Draws the page; only what changed is sent."""
        columns, rows = self._text.size
        page, look = self._page, self._look
        if columns <= 0 or page is None:
            return
        self._drawn, self._drawn_at = (page, look, self._text.size), time.monotonic()
        kind = self._kinds[self._at]
        shown = lines(page, look, columns, rows - 1) or nothing(page, look, kind.name, kind.writer)
        self._text.show([heading([kind.name for kind in self._kinds], self._at, page, look, columns), *shown])

    def _find(self) -> tuple[tuple[LogKind, ...], int]:
        kinds = logs_of(self._path)
        return kinds, most_useful(self._path, kinds)

    def _listed(self, found: tuple[tuple[LogKind, ...], int]) -> None:
        self._kinds, self._at = found
        self._move()
        self.draw_bars()

    def _open(self, at: int) -> None:
        """Another file, with the same filter; where a person was in each is kept."""
        if len(self._kinds) > 1:
            self._at = at % len(self._kinds)
            self._narrow(self._typed, regex=self._is_expression)

    def _ask_for(self, question: str, *, regex: bool) -> None:
        def changed(typed: str) -> None:
            self._narrow(typed, regex=regex)

        self.ask(Prompt(question, changed, expected=None, changed=changed))

    def _narrow(self, typed: str, *, regex: bool) -> None:
        """Shows the lines with what was typed; what cannot be looked for yet leaves those that are shown."""
        if not self._kinds:
            return
        wanted: Matcher | None = None
        found: Callable[[str], list[tuple[int, int]]] | None = None
        if typed:
            try:
                wanted = matcher(typed, regex=regex, rendering=self._kinds[self._at].rendering)
                found = spans(typed, regex=regex)
            except BadPattern as problem:
                self._show(replace(self._look, problem=visible(str(problem))))
                return
        self._typed, self._is_expression = typed, regex
        self._look = replace(self._look, typed=visible(typed), found=found, problem="", left=0)
        self._move(lambda pager: pager.narrow(wanted))

    def _show(self, look: Look) -> None:
        self._look = look
        self.draw()

    def _is_numbered(self) -> bool:
        return number_columns(Page(), self._look, self._text.size.width) > MARGIN

    def _move(self, *moves: Move) -> None:
        """Has the window moved, and drawn as soon as that is done."""
        self._moves += moves
        self._was_asked = True
        if self._kinds and not self._is_looking:
            self._ask()

    def _ask(self) -> None:
        at, moves = self._at, tuple(self._moves)
        self._moves.clear()
        self._is_looking = True
        pager = self._pagers.get(at)
        if pager is None:
            pager = self._pagers[at] = Pager(self._kinds[at].path, self._kinds[at].rendering)
        height = max(1, self._text.size.height - 1)
        self.console_app.worker.ask(lambda: pager.look(height, SLICE_S, moves), lambda page: self._looked(at, page))

    def _looked(self, at: int, page: Page) -> None:
        self._is_looking = False
        if not self.is_attached:
            return
        asked = self._was_asked and not self._moves and at == self._at
        if at == self._at:
            self._quiet = self._quiet + 1 if page == self._page else 0
            self._page = page
            is_due = time.monotonic() - self._drawn_at >= self.console_app.capabilities.refresh_s * 0.9
            if (
                self.is_current
                and (page, self._look, self._text.size) != self._drawn
                and (asked or is_due or not page.is_busy)
            ):
                self.draw()
        if asked:
            self._was_asked = False
        if self._moves or self._was_asked or (page.is_busy and self.is_current):
            self._ask()
