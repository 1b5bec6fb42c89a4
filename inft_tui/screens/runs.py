"""The Runs screen: every run of a folder, the newest first, kept up to date."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.widget import Widget

from inft.runs.visible import visible
from inft_tui.comparison.marks import TOO_MANY, toggle
from inft_tui.deeds import Outcome
from inft_tui.display.spans import EMPTY, Line
from inft_tui.key_table import Place
from inft_tui.listing import Seen, Snapshot
from inft_tui.possible import why_not
from inft_tui.run_rows import columns_for, heading, matches, row
from inft_tui.screens.console_screen import ConsoleScreen, Prompt
from inft_tui.screens.requests import ask_first
from inft_tui.screens.run_words import RunWords
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_ROWS = 3
IN_A_SHELL = "inft-tui --headless --profile demo_aya"
ROWS_FOR_DETAILS = 30
DETAILS_ROWS = 11
"""Of which one is a rule and one stays empty; the words about a run that failed take eight."""
AT_ONCE_S = 0.1
"""Runs that are looked at by then appear at once; names first and all else behind them would be drawn twice."""
DETAILS_S = 0.2
"""Until the selected run is looked at: the first look loads modules, and would have the next keys wait for it."""
AGES_S = 10.0
"""Between two drawings of nothing but the ages, which count minutes."""


class RunsScreen(ConsoleScreen):
    """The listing."""

    place: ClassVar[Place] = "runs"
    heading: ClassVar[str] = "Runs"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp) -> None:
        super().__init__(console)
        self._list = LineView(console.palette)
        self._filter = ""
        self._first = 0
        self._details: RunWords | None = None
        self._detailed: Seen | None = None
        self._detailed_at = float("-inf")
        self._is_looking = self._is_waiting = self._is_stale = False
        self._drawn: Snapshot | None = None
        self._drawn_at = float("-inf")
        self._opened_at: float | None = None

    def body(self) -> Widget:
        """The listing."""
        return self._list

    def about(self) -> Line:
        """How many there are."""
        snapshot = self.console_app.snapshot
        live = sum(seen.condition is not None and seen.condition.alive for seen in snapshot.runs)
        count = len(snapshot.runs)
        parts = [f"{count:,} run{'' if count == 1 else 's'}"]
        if live:
            parts.append(f"{live} going on")
        if self.console_app.subjects.marked:
            parts.append(f"{len(self.console_app.subjects.marked)} marked")
        if self._filter:
            parts.append(f"{len(self._shown()):,} with “{self._filter}”")
        return ((f"  {' · '.join(parts)}", "bar-dim"),)

    def tick(self) -> None:
        """Draws what changed; without news only the ages do, and seldom."""
        snapshot = self.console_app.snapshot
        if snapshot is self._drawn or (
            self._drawn is not None
            and snapshot.runs is self._drawn.runs
            and snapshot.problem is self._drawn.problem
            and time.monotonic() - self._drawn_at < AGES_S
        ):
            return
        self.draw()

    def on_resize(self) -> None:
        """Fits the columns into the new width."""
        super().on_resize()
        self._draw_soon()

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._draw_soon()

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        runs = self._shown()
        at = self._position(runs)
        page = max(1, self._list.size.height - 3)
        moves = {
            "runs.up": at - 1,
            "runs.down": at + 1,
            "runs.page-up": at - page,
            "runs.page-down": at + page,
            "runs.first": 0,
            "runs.last": len(runs) - 1,
        }
        if name in moves:
            self._select(moves[name])
        elif name == "runs.filter":
            self.ask(Prompt("Show runs with", self._set_filter, expected=None, changed=self._set_filter))
        elif name == "runs.all":
            self._set_filter("")
        elif name == "runs.mark":
            if runs:
                self._mark(at, runs[at].run.path)
        elif name == "runs.unmark-all":
            self.console_app.subjects.marked.clear()
            self.draw()
        elif name == "runs.open" and runs:
            self.console_app.open_run(runs[at].run.path)
        elif name in ("runs.save", "runs.stop", "runs.abort", "runs.resume"):
            if runs:
                self._request(name.partition(".")[2], runs[at])
        else:
            return False
        return True

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._select(self._position(self._shown()) + WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._select(self._position(self._shown()) - WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Selects a run; a second click opens it."""
        runs = self._shown()
        at = event.screen_y - self._list.region.y - 1 + self._first
        if 0 <= at < len(runs) and event.screen_y > self._list.region.y:
            if runs[at].run.path == self.console_app.subjects.chosen:
                self.do("runs.open")
            else:
                self._select(at)

    def _draw_soon(self) -> None:
        """Draws once all parts have their size; once, although there may be several reasons to."""
        if not self._is_stale:
            self._is_stale = True
            self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draws the listing; only what changed is sent."""
        self._is_stale = False
        columns, rows = self._list.size
        if columns <= 0:
            return
        if self._is_early():
            return
        snapshot, runs = self.console_app.snapshot, self._shown()
        details = self._details_lines(columns) if rows >= ROWS_FOR_DETAILS and runs else []
        room = max(1, rows - 1 - len(details))
        at = self._position(runs)
        if runs and self.console_app.screen is self:
            # What is seen to be selected is what the other screens are about.
            self.console_app.subjects.chosen = runs[at].run.path
        self._first = max(0, min(self._first, at, len(runs) - room), at - room + 1)
        self._drawn, self._drawn_at = snapshot, time.monotonic()
        shape = columns_for(columns, snapshot.runs)
        glyphs, marked = self.console_app.capabilities.glyphs, self.console_app.subjects.marked
        shown = [
            row(seen, shape, glyphs, selected=self._first + number == at, marked=seen.run.path in marked)
            for number, seen in enumerate(runs[self._first : self._first + room])
        ]
        blank = [EMPTY] * (room - len(shown))
        self._list.show([heading(shape), *shown, *blank, *details] if shown else self._nothing(snapshot))
        if details and snapshot.done:
            self._look_soon(runs[at])
        self.draw_bars()

    def _is_early(self) -> bool:
        """Whether more is to be known in a moment, which is waited for."""
        if self._drawn is not None or self.console_app.snapshot.done:
            return False
        now = time.monotonic()
        if self._opened_at is None:
            self._opened_at = now
            self.set_timer(AT_ONCE_S, self.draw)
        return now - self._opened_at < AT_ONCE_S * 0.9  # a timer may be a little early

    def _look_soon(self, seen: Seen) -> None:
        """Has the selected run looked at where it is another one, has changed, or may be silent by now."""
        is_known = self._detailed is seen and time.monotonic() - self._detailed_at < AGES_S
        if not (self._is_waiting or self._is_looking or is_known):
            self._is_waiting = True
            self.set_timer(DETAILS_S, self._look)

    def _look(self) -> None:
        """Has the run looked at that is selected now; one look at a time."""
        self._is_waiting = False
        runs = self._shown()
        if not runs or not self.is_current:
            return
        seen = runs[self._position(runs)]
        if self._details is None or self._details.run != seen.run:
            self._details = RunWords(seen.run)
        self._is_looking, self._detailed, self._detailed_at = True, seen, time.monotonic()
        self.console_app.worker.ask(self._details.look, self._looked)

    def _looked(self, _: None) -> None:
        self._is_looking = False
        if self.is_current:
            self.draw()

    def _details_lines(self, columns: int) -> list[Line]:
        """What `status` says about the selected run, below the listing; before the first look the place for it."""
        details = self._details
        name = "" if details is None else f" {visible(details.run.run_id)} "
        rule = "─" * max(0, columns - 3 - len(name))
        words = [] if details is None else details.lines(columns, DETAILS_ROWS - 2)
        head: Line = (("───", "faint"), (name, "title"), (rule, "faint"))
        return [head, *words, *[EMPTY] * (DETAILS_ROWS - 1 - len(words))]

    def _nothing(self, snapshot: Snapshot) -> list[Line]:
        if snapshot.problem is not None:
            return [EMPTY, ((f"  {snapshot.problem.message}", "bad"),), ((f"  {snapshot.problem.fix}", "text"),)]
        if not self.console_app.has_looked:
            return [EMPTY, (("  Looking for runs …", "dim"),)]
        if self._filter:
            hidden = f"  {self.console_app.key_of('runs.all')} shows all {len(snapshot.runs):,} again."
            text = f"  No run has “{self._filter}” in its name, profile or state."
            return [EMPTY, ((text, "text"),), ((hidden, "dim"),)]
        key = "" if self.console_app.readonly else self.console_app.key_of("launch")
        shell = ((f"  {'Or' if key else 'Start one'} from a shell:  ", "dim"), (IN_A_SHELL, "accent"))
        return [
            EMPTY,
            (("  There are no runs yet.", "title"),),
            EMPTY,
            *([((f"  {key}", "key"), (" prepares one.", "text"))] if key else []),
            shell,
            (("  It appears here as soon as it begins.", "dim"),),
        ]

    def _shown(self) -> list[Seen]:
        words = self._filter.lower().split()
        return [seen for seen in self.console_app.snapshot.runs if matches(seen, words)]

    def _position(self, runs: list[Seen]) -> int:
        """Where the chosen run is; one that is not among them gives way to the newest."""
        chosen = self.console_app.subjects.chosen
        return next((at for at, seen in enumerate(runs) if seen.run.path == chosen), 0)

    def _select(self, at: int) -> None:
        runs = self._shown()
        if runs:
            self.console_app.subjects.chosen = runs[max(0, min(at, len(runs) - 1))].run.path
        self.draw()

    def is_valid(self, name: str) -> bool:
        """Nothing is asked of a run that has ended, and there is nothing to resume where one goes on."""
        runs = self._shown()
        return not runs or not why_not(name.partition(".")[2], "", runs[self._position(runs)].condition)

    def _request(self, request: str, seen: Seen) -> None:
        """Asks first; what cannot be done is said at once."""
        reason = why_not(request, visible(seen.run.run_id), seen.condition)
        if reason:
            self.console_app.say(Outcome(reason, went_well=False))
        else:
            ask_first(self, request, seen.run)

    def _mark(self, at: int, path: Path) -> None:
        """Marks a run, or takes its mark away, and goes on to the next one."""
        if toggle(self.console_app.subjects.marked, path):
            self._select(at + 1)
        else:
            self.console_app.say(Outcome(TOO_MANY, went_well=False))

    def _set_filter(self, text: str) -> None:
        self._filter = text.strip()
        self.draw()
