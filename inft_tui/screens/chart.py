"""One chart on the whole screen, with all that can be done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from inft_tui.display.palette import Palette
from inft_tui.display.spans import Line
from inft_tui.key_table import Place
from inft_tui.monitor.catalogue import Catalogue, Picture
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.watched import CALM_S, Watched
from inft_tui.widgets.chart_keys import act_on_chart
from inft_tui.widgets.chart_view import ChartView, glyphs_for

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


class ChartScreen(ConsoleScreen):
    """One chart of a run.

    Attributes:
        key: of the chart that is shown.

    Args:
        console: the app.
        watched: the run.
        catalogue: its charts.
        key: of the chart to begin with.
    """

    place: ClassVar[Place] = "chart"
    heading: ClassVar[str] = "Chart"

    def __init__(self, console: ConsoleApp, watched: Watched, catalogue: Catalogue, key: str) -> None:
        super().__init__(console)
        self.key = key
        self._watched = watched
        self._catalogue = catalogue
        self._picture: Picture | None = None
        self._view = ChartView(console.palette, glyphs_for(console.capabilities.glyphs))

    def body(self) -> Widget:
        """The chart."""
        return self._view

    def about(self) -> Line:
        """Of which run, and the how manieth of its charts."""
        pictures = self._catalogue.pictures()
        facts = self._watched.feed.facts
        reading = "" if self._watched.is_loaded else " · reading …"
        return ((f"  {facts.run_id} · {self._place_of(pictures) + 1} of {len(pictures)}{reading}", "bar-dim"),)

    def next_tick_s(self) -> float:
        """Once a second where nothing happens."""
        return CALM_S if self._watched.is_calm else super().next_tick_s()

    def tick(self) -> None:
        """Has the run read on; what that brings is drawn when it comes."""
        self._watched.keep_up()

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._watched.changed = self._news
        self.call_after_refresh(self.draw)

    def recolour(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        super().recolour(palette)
        self._view.recolour(palette, self._view.chart.glyphs)

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        match name:
            case "chart.back":
                self.console_app.back()
            case "chart.next":
                self._go(1)
            case "chart.previous":
                self._go(-1)
            case _:
                stem = f"{self._watched.feed.facts.run_id}-{self.key}"
                return name.startswith("chart.") and act_on_chart(self.console_app, self._view, name, stem)
        return True

    def draw(self) -> None:
        """Draws what has come; another chart where the one that was shown is gone."""
        pictures = self._catalogue.pictures()
        if not pictures:
            self.console_app.back()
            return
        picture = pictures[self._place_of(pictures)]
        if picture is not self._picture:
            self._picture, self.key = picture, picture.key
            self._view.show(picture.content)
        else:
            self._view.points_added()
        if picture.content.since is None:
            self._view.end_at(self._watched.feed.facts.max_steps)
        self.draw_bars()

    def _news(self) -> None:
        if self.is_current:
            self.draw()

    def _go(self, by: int) -> None:
        pictures = self._catalogue.pictures()
        if pictures:
            self.key = pictures[(self._place_of(pictures) + by) % len(pictures)].key
            self.draw()

    def _place_of(self, pictures: tuple[Picture, ...]) -> int:
        return next((place for place, picture in enumerate(pictures) if picture.key == self.key), 0)
