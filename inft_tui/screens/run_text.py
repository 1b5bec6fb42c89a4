"""One run in words: what `inft-tui status` says, kept up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from inft.runs.directory import RunDirectory
from inft.runs.visible import visible
from inft_tui.display.spans import EMPTY, Line
from inft_tui.key_table import Place
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.screens.requests import ask_first
from inft_tui.screens.run_words import RunWords
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


class RunTextScreen(ConsoleScreen):
    """The words about one run.

    Args:
        console: the app.
        run: which run.
    """

    place: ClassVar[Place] = "monitor"
    heading: ClassVar[str] = "Monitor"
    period_s: ClassVar[float | None] = 0.5

    def __init__(self, console: ConsoleApp, run: RunDirectory) -> None:
        super().__init__(console)
        self._run = run
        self._text = LineView(console.palette)
        self._words = RunWords(run)
        self._is_looking = self._has_looked = False
        self._first = 0

    def body(self) -> Widget:
        """The words."""
        return self._text

    def about(self) -> Line:
        """Which run."""
        return ((f"  {visible(self._run.run_id)}", "bar-dim"),)

    def on_mount(self) -> None:
        """The first look."""
        self.tick()

    def on_resize(self) -> None:
        """Wraps anew."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """Has the run looked at, unless that is going on."""
        if not self._is_looking:
            self._is_looking = True
            self.console_app.worker.ask(self._words.look, self._looked)

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        match name:
            case "monitor.back":
                self.console_app.back()
            case "monitor.up" | "monitor.down":
                self._first += 1 if name == "monitor.down" else -1
                self.draw()
            case "monitor.save" | "monitor.stop" | "monitor.abort" | "monitor.resume":
                ask_first(self, name.partition(".")[2], self._run)
            case _:
                return False
        return True

    def draw(self) -> None:
        """Draws the words."""
        columns, rows = self._text.size
        if columns <= 0:
            return
        words: list[Line] = self._words.lines(columns) if self._has_looked else [(("  Looking …", "dim"),)]
        self._first = max(0, min(self._first, len(words) - rows + 1))
        self._text.show([EMPTY, *words[self._first :]])
        self.draw_bars()

    def _looked(self, _: None) -> None:
        self._is_looking = False
        self._has_looked = True
        if self.is_current:
            self.draw()
