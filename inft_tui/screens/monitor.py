"""The Monitor screen: what a run is doing, its charts, and what it says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from inft.runs.directory import RunDirectory
from inft.runs.visible import visible
from inft_tui.deeds import Outcome
from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line
from inft_tui.feeds.facts import RunFacts
from inft_tui.feeds.foreign import FOREIGN
from inft_tui.key_table import Place
from inft_tui.monitor.below import PANELS, Panel, below
from inft_tui.monitor.catalogue import Catalogue, Picture
from inft_tui.monitor.heading import heading
from inft_tui.monitor.layout import Grid, grid_for
from inft_tui.possible import why_not
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.screens.doors import screen_for
from inft_tui.screens.requests import ask_first
from inft_tui.screens.run_words import RunWords
from inft_tui.watched import CALM_S, Watched, tell_the_same
from inft_tui.widgets.chart_grid import ChartGrid
from inft_tui.widgets.chart_view import glyphs_for
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp
    from inft_tui.screens.chart import ChartScreen

LOADING_S = 1.0
"""Between two drawings while a long run is read: it is read sooner if it is not drawn after every slice."""
_ROOMY_FROM, _AIRY_FROM, _GENEROUS_FROM = 18, 28, 36
"""Rows of the body from which on there is more than the most needed: longer words, a blank line, a longer panel."""

Mode: TypeAlias = Literal["charts", "panel", "words"]


class MonitorScreen(ConsoleScreen):
    """One run.

    Args:
        console: the app.
        watched: the run, or another program's log.
    """

    place: ClassVar[Place] = "monitor"
    heading: ClassVar[str] = "Monitor"

    def __init__(self, console: ConsoleApp, watched: Watched) -> None:
        super().__init__(console)
        palette = console.palette
        self._watched = watched
        self._catalogue = Catalogue(watched.feed, watched.hardware)
        self._top = LineView(palette)
        self._charts = ChartGrid(palette, glyphs_for(console.capabilities.glyphs))
        self._below = LineView(palette)
        self._text = LineView(palette)
        self._words: RunWords | None = None
        self._is_looking = False
        self._mode: Mode = "charts"
        self._panel: Panel = "log"
        self._back = 0
        self._key: str | None = None
        self._focus: ChartScreen | None = None
        self._pictures: tuple[Picture, ...] | None = None
        self._grid = Grid(1, 1, 1, 1)
        self._drawn: RunFacts | None = None
        self._has_figures = False
        self._has_loaded = watched.is_loaded
        self._is_undrawn = True
        self._drawn_at = float("-inf")

    def body(self) -> Widget:
        """The words, the charts, and the panel below them."""
        return _Body(self._top, self._charts, self._below, self._text)

    def about(self) -> Line:
        """What is not shown yet."""
        parts = []
        if not self._watched.is_loaded:
            parts.append("reading …")
        count = len(self._pictures or ())
        if self._mode == "charts" and count and (pages := self._grid.pages(count)) > 1:
            parts.append(f"page {self._grid.page_of(self._selected()) + 1} of {pages}")
        return ((f"  {' · '.join(parts)}", "bar-dim"),) if parts else EMPTY

    def next_tick_s(self) -> float:
        """Once a second where nothing happens."""
        return CALM_S if self._watched.is_calm else super().next_tick_s()

    def tick(self) -> None:
        """Has the run read on; what that brings is drawn when it comes."""
        self._watched.keep_up()
        if self._is_undrawn:
            self._news()
        elif not tell_the_same(self._watched.feed.facts, self._drawn):
            self._draw_news()
        if self._mode == "words":
            self._look()

    def on_resize(self) -> None:
        """Fits everything into the new size."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._watched.changed = self._news
        if self._focus is not None:
            self._key, self._focus = self._focus.key, None
        self.call_after_refresh(self.draw)

    def recolour(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        super().recolour(palette)
        self._charts.recolour(palette)

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        match name.partition(".")[2] if name.startswith("monitor.") else "":
            case "back" if self._mode != "charts":
                self._show_as("charts")
            case "back":
                self.console_app.back()
            case "up" | "down" | "left" | "right" | "page-up" | "page-down" as way:
                self._move(way)
            case "open":
                self._open()
            case "panel":
                self._panel = PANELS[(PANELS.index(self._panel) + 1) % len(PANELS)]
                self._back = 0
                self.draw()
            case "enlarge":
                self._show_as("charts" if self._mode == "panel" else "panel")
            case "captions":
                self.console_app.push_screen(screen_for(self.console_app, "captions"))
            case "words":
                self._show_as("charts" if self._mode == "words" else "words")
            case "save" | "stop" | "abort" | "resume" as request:
                self._ask_for(request)
            case _:
                return False
        return True

    def on_click(self, event: events.Click) -> None:
        """Selects a chart; a second click opens it."""
        corner = self._charts.region
        if self._mode != "charts" or not corner.contains(event.screen_x, event.screen_y):
            return
        picture = self._charts.picture_at(event.screen_x - corner.x, event.screen_y - corner.y)
        if picture is None:
            return
        if picture.key == self._key:
            self._open()
        else:
            self._key = picture.key
            self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._move("down" if self._mode != "charts" else "page-down")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._move("up" if self._mode != "charts" else "page-up")

    # Drawing

    def draw(self) -> None:
        """Draws everything; only what changed is sent."""
        if self.size.width <= 0 or not self.is_current:
            return
        self._pictures, self._is_undrawn = None, True
        self._draw_news()

    def _news(self) -> None:
        """A slice has brought something."""
        self._is_undrawn = True
        if self._watched.is_loaded and not self._has_loaded:
            self._has_loaded = True
            self._charts.fit_anew()
        is_first = not self._has_figures and self._watched.feed.series
        if self.is_current and (self._watched.is_loaded or is_first or time.monotonic() - self._drawn_at >= LOADING_S):
            self._draw_news()

    def _draw_news(self) -> None:
        facts = self._watched.feed.facts
        columns, rows = self.size.width, self.size.height - 3
        if columns <= 0 or rows <= 0:
            return
        self._drawn, self._has_figures = facts, bool(self._watched.feed.series)
        glyphs = self.console_app.capabilities.glyphs
        about_wrong = 4 if rows >= _AIRY_FROM else 2 if rows >= _ROOMY_FROM else 1
        above = heading(facts, self._watched.feed.series, columns, glyphs, about_wrong)
        if rows >= _AIRY_FROM:
            above = [*above, EMPTY]
        below_rows = 0 if self._mode != "charts" else 9 if rows >= _GENEROUS_FROM else 5 if rows >= _ROOMY_FROM else 3
        self._top.styles.height, self._below.styles.height = len(above), below_rows
        self._top.show(above)
        if self._mode == "charts":
            self._below.show(below(facts, self._panel, columns, below_rows, self._back))
            self._draw_charts(facts, columns, rows - len(above) - below_rows)
        else:
            self._draw_text(facts, columns, rows - len(above))
        self.draw_bars()
        self._drawn_at = time.monotonic()

    def _draw_charts(self, facts: RunFacts, columns: int, rows: int) -> None:
        pictures = self._catalogue.pictures()
        grid = grid_for(columns, max(1, rows), len(pictures))
        if pictures is not self._pictures or grid != self._grid:
            self._pictures, self._grid = pictures, grid
            page = grid.page_of(self._selected())
            shown = grid.charts_on(page, len(pictures))
            tiles = grid.tiles(page, len(pictures))
            key = pictures[self._selected()].key if pictures else None
            self._charts.show(pictures[shown.start : shown.stop], tiles, key)
        elif self._is_undrawn:
            self._charts.points_added()
        self._is_undrawn = False
        self._charts.end_at(facts.max_steps)
        if not pictures:
            self._charts.say(_no_charts(facts) if self._watched.is_loaded else "Reading …")

    def _draw_text(self, facts: RunFacts, columns: int, rows: int) -> None:
        if self._mode == "panel":
            self._text.show(below(facts, self._panel, columns, rows, self._back))
            return
        words = [] if self._words is None else self._words.lines(columns)
        if facts.state == "foreign":
            words = [(("  Nothing but its figures is known of it. They are read from ", "dim"), (self._file(), "text"))]
        self._back = max(0, min(self._back, len(words) - rows + 1))
        self._text.show([EMPTY, *words[self._back :]])

    # Keys

    def _show_as(self, mode: Mode) -> None:
        self._mode, self._back = mode, 0
        for widget in (self._charts, self._below):
            widget.display = mode == "charts"
        self._text.display = mode != "charts"
        if mode == "words":
            self._look()
        self.call_after_refresh(self.draw)

    def _look(self) -> None:
        """Has the run looked at for its words, unless that is going on."""
        if self._watched.feed.facts.state == "foreign":
            return
        if self._words is None:
            self._words = RunWords(RunDirectory(self._watched.path))
        if not self._is_looking:
            self._is_looking = True
            self.console_app.worker.ask(self._words.look, self._looked)

    def _looked(self, _: None) -> None:
        self._is_looking = False
        if self._mode == "words":
            self.draw()

    def _move(self, way: str) -> None:
        down = {"up": -1, "down": 1, "page-up": -1, "page-down": 1}.get(way, 0)
        if self._mode != "charts":
            step = max(1, self._text.size.height - 2) if way.startswith("page") else 1
            # Words are read from their beginning, a panel from its end.
            self._back = max(0, self._back + down * step * (1 if self._mode == "words" else -1))
            self.draw()
            return
        pictures = self._catalogue.pictures()
        if not pictures:
            return
        count, at, grid = len(pictures), self._selected(), self._grid
        if way.startswith("page"):
            page = max(0, min(grid.pages(count) - 1, grid.page_of(at) + down))
            chart = grid.charts_on(page, count).start if page != grid.page_of(at) else at
        else:
            chart = grid.moved(at, count, {"left": -1, "right": 1}.get(way, 0), down)
        self._key = pictures[chart].key
        self.draw()

    def _open(self) -> None:
        from inft_tui.screens.chart import ChartScreen

        pictures = self._catalogue.pictures()
        if pictures and self._mode == "charts":
            self._focus = ChartScreen(self.console_app, self._watched, self._catalogue, pictures[self._selected()].key)
            self.app.push_screen(self._focus)

    def is_valid(self, name: str) -> bool:
        """Nothing is asked of a run that has ended, nor of another program's."""
        return not self._why_not(name.partition(".")[2])

    def _ask_for(self, request: str) -> None:
        reason = self._why_not(request)
        if reason:
            self.console_app.say(Outcome(reason, went_well=False))
        else:
            ask_first(self, request, RunDirectory(self._watched.path))

    def _why_not(self, request: str) -> str:
        facts = self._watched.feed.facts
        return why_not(request, facts.run_id, facts.condition, foreign=facts.state == FOREIGN)

    def _file(self) -> str:
        return visible(str(self._watched.path))

    def _selected(self) -> int:
        """Which chart is selected; the first one where that one is gone."""
        pictures = self._catalogue.pictures()
        return next((place for place, picture in enumerate(pictures) if picture.key == self._key), 0)


def _no_charts(facts: RunFacts) -> str:
    if facts.state == "unreadable":
        return "Nothing of it can be read."
    if facts.condition is not None and facts.condition.alive:
        return "No figures yet: the first ones come with the first steps."
    return "It has logged no figures."


class _Body(Widget):
    """The parts, one below the other."""

    DEFAULT_CSS = """
    _Body { layout: vertical; height: 1fr; width: 1fr; overflow: hidden; }
    """

    def __init__(self, top: LineView, charts: ChartGrid, below: LineView, text: LineView) -> None:
        super().__init__()
        self._parts = (top, charts, below, text)
        text.display = False

    def compose(self) -> ComposeResult:
        """The parts."""
        yield from self._parts
