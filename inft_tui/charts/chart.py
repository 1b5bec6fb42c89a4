"""One chart with all that a person can do to it. Whatever is done, it says which cells are other ones now."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inft_tui.charts.axis import Along, Axis, Since, Steps
from inft_tui.charts.cells import Cell, Changed, differences
from inft_tui.charts.figure import Figure
from inft_tui.charts.glyphs import CURVES, Glyphs
from inft_tui.charts.plot import Curve, Viewport
from inft_tui.charts.series import Series
from inft_tui.charts.shown import NOTHING, Marked, Shown
from inft_tui.charts.smoothing import Smoothed
from inft_tui.charts.view import Counted, View, moved_cursor

WEIGHTS = (0.0, 0.9, 0.98, 0.995)
"""Of smoothing, from none to some 200 points; see `smoothing`."""
_USUAL = ((2_000, 0.9), (20_000, 0.98), (math.inf, 0.995))
"""Up to how many points which weight suits a curve: it follows its envelope, and few columns of a screen late."""
_SMOOTHED_FROM, _SMOOTHED_ON_DEMAND_FROM = 100, 2
"""Points below which a curve is not smoothed: an evaluation's few values would only be displaced. A person may."""
_NOTED_FROM = 60
"""Columns from which on a chart says how it is smoothed where nobody has chosen that; below, there are many charts."""
_POSITIONS = {Counted.STEP: "step", Counted.EPOCH: "epoch", Counted.TIME: "seconds"}
"""What the x of a series is called in a table."""
_SLICE = 50_000
"""Points that are smoothed at once, in about 5 ms; a key press must not wait for a million."""


@dataclass(frozen=True)
class Content:
    """What a chart is of.

    Attributes:
        title: of the chart.
        series: by the names that a reader knows them by, at most eight; a cursor goes along the first one.
        unit: of the values; "" = none.
        marks: what happened at which step; may grow.
        end: the last step there will be; None = not known.
        smooth: whether the curves are noisy; a learning rate is not, and would only be drawn late.
        clocks: what else the x axis can count, as series over steps.
        since: for series that are over moments, in seconds, instead of steps: where their axis begins. It counts
            nothing else then.
        over: what the x of the series counts. Where it is not steps, the axis counts nothing else.
        from_zero: whether an even value axis begins at 0, for what is a part of something.
        nothing: what is said where there are no points yet.
    """

    title: str
    series: Mapping[str, Series]
    unit: str = ""
    marks: Sequence[Marked] = ()
    end: float | None = None
    smooth: bool = True
    clocks: Mapping[Counted, Series] = field(default_factory=dict)
    since: float | None = None
    over: Counted = Counted.STEP
    from_zero: bool = False
    nothing: str = NOTHING


class Chart:
    """A chart in `width` x `height` cells.

    Attributes:
        rows: of cells, from the top.
        view: what part of it is looked at.
        key_for_all: that shows everything again, as it is printed; said where a window holds no point.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self.view = View()
        self.key_for_all = ""
        self.glyphs = glyphs
        self._chosen_weight: float | None = None
        self.content = Content("", {})
        self._size = (1, 1)
        self._axis: Axis = Steps()
        self._smoothed: dict[str, Smoothed] = {}
        self._figure = self._new_figure()

    @property
    def rows(self) -> Sequence[Sequence[Cell]]:
        """The picture."""
        return self._figure.rows

    @property
    def viewport(self) -> Viewport | None:
        """What of the curves is shown; None where there is nothing to show."""
        return self._figure.viewport

    @property
    def is_behind(self) -> bool:
        """Whether more points are to be smoothed: then `points_added` once more, after what else is to be done."""
        return any(len(smoothed) < len(smoothed.series) for smoothed in self._smoothed.values())

    @property
    def weight(self) -> float:
        """Of the smoothing: what a person chose, or else what suits the curves; 0 = none."""
        if self._chosen_weight is not None:
            return self._chosen_weight
        longest = max(map(len, self.content.series.values()), default=0)
        if not self.content.smooth or longest < _SMOOTHED_FROM:
            return 0.0
        return next(weight for points, weight in _USUAL if longest < points)

    def show(self, content: Content) -> None:
        """Shows something else, in the same way. What is shown may grow: `points_added` says so."""
        if [*content.series.values()] != [*self.content.series.values()]:
            self._smoothed = {}
            self._chosen_weight = None
            self.view.cursor = None
        self.content = content
        self.view.count(self.view.counted)
        self._axis = self._chosen_axis()
        self._figure = self._new_figure()

    def resize(self, width: int, height: int) -> None:
        """Another size, from 1x1 up."""
        self._size = (max(1, width), max(1, height))
        self._figure = self._new_figure()

    def use(self, glyphs: Glyphs) -> None:
        """Draws with other characters."""
        self.glyphs = glyphs
        self._figure = self._new_figure()

    def points_added(self) -> list[Changed]:
        """Draws the points and marks that have come."""
        weight = self.weight
        if self._needs_smoothing() != {name for name, one in self._smoothed.items() if one.weight == weight}:
            return self._redrawn(lambda: None)
        for smoothed in self._smoothed.values():
            smoothed.advance(_SLICE)
        return self._figure.grow()

    def smooth_on(self) -> None:
        """Smooths a part more without drawing it, as long as it `is_behind`."""
        behind = next((one for one in self._smoothed.values() if len(one) < len(one.series)), None)
        if behind is not None:
            behind.advance(_SLICE)

    def end_at(self, end: float | None) -> list[Changed]:
        """Another last step: the run's plan has become known, or has changed."""
        if end == self.content.end:
            return []
        self.content = replace(self.content, end=end)
        return self._redrawn(lambda: None)

    def move_cursor(self, columns: int) -> list[Changed]:
        """Goes to the point so many columns on, or to the next one; the first time to the last point shown.

        The points are those of the first curve that has any here.
        """
        viewport = self.viewport
        if viewport is None:
            return []
        width, cursor = self._figure.plot_width, self.view.cursor
        places = (moved_cursor(curve, viewport, width, cursor, columns) for _, curve in self._figure.shown.curves)
        self.view.cursor = next((place for place in places if place is not None), None)
        return self._figure.moved()

    def hide_cursor(self) -> list[Changed]:
        """No cursor; the title tells the last values."""
        self.view.cursor = None
        return self._figure.moved()

    def zoom(self, factor: float) -> list[Changed]:
        """Shows `factor` of the width: around the cursor, else up to the newest point, else around the middle."""
        viewport, cursor = self.viewport, self.view.cursor
        if viewport is None:
            return []
        if cursor is not None:
            around = self._axis.position(cursor)
            return self._redrawn(lambda: self.view.zoom(factor, viewport, around))
        newest = max((self._axis.position(one.x[-1]) for one in self.content.series.values() if len(one)), default=0.0)
        if 0 < viewport.across(newest) <= 1:
            return self._redrawn(lambda: self.view.zoom_up_to(factor, viewport, newest))
        return self._redrawn(lambda: self.view.zoom(factor, viewport, viewport.x_at(0.5)))

    def pan(self, share: float) -> list[Changed]:
        """Moves by `share` of the width, to the right if positive."""
        viewport = self.viewport
        return [] if viewport is None else self._redrawn(lambda: self.view.pan(share, viewport))

    def toggle_follow(self) -> list[Changed]:
        """Holds what is shown, or follows the run again."""
        viewport = self.viewport
        if self.view.follow and viewport is not None:
            return self._redrawn(lambda: self.view.hold(viewport))
        return self._redrawn(self.view.follow_again)

    def toggle_log_x(self) -> list[Changed]:
        """An even or a logarithmic x axis."""
        return self._redrawn(self.view.toggle_log_x)

    def toggle_log_y(self) -> list[Changed]:
        """An even or a logarithmic value axis."""
        self.view.log_y = not self.view.log_y
        return self._redrawn(lambda: None)

    def toggle_whole_range(self) -> list[Changed]:
        """A value axis for all values, or for the ordinary ones."""
        self.view.whole_range = not self.view.whole_range
        return self._redrawn(lambda: None)

    def cycle_smoothing(self) -> list[Changed]:
        """The next weight of `WEIGHTS`."""
        heavier = [weight for weight in WEIGHTS if weight > self.weight]
        self._chosen_weight = min(heavier, default=WEIGHTS[0])
        self._smoothed = {}
        return self._redrawn(lambda: None)

    def cycle_axis(self) -> list[Changed]:
        """The x axis counts steps, epochs or time, as far as these are known."""
        if self.content.since is not None or self.content.over is not Counted.STEP:
            return []
        known = [counted for counted in Counted if counted is Counted.STEP or counted in self.content.clocks]
        following = itertools.dropwhile(lambda counted: counted is not self.view.counted, [*known, *known])
        next(following, None)
        self.view.count(next(following, Counted.STEP))
        self._axis = self._chosen_axis()
        return self._redrawn(lambda: None)

    def csv_writer(self) -> Callable[[], str] | None:
        """What writes the points that are shown now, which another thread may call; None where there are none."""
        from inft_tui.charts import export

        if self.viewport is None:
            return None
        points = export.points_of(self._figure.shown.curves, self.viewport)
        position = _POSITIONS[self.content.over] if self.content.since is None else "unix_time"
        return lambda: export.to_csv(points, position)

    def to_svg(self) -> str:
        """What is shown, as a drawing; empty where there is nothing."""
        from inft_tui.charts import export

        shown = self._figure.shown
        counted = "time in seconds" if self.view.counted is Counted.TIME else self.view.counted.value
        title = f"{shown.title} ({shown.unit})" if shown.unit else shown.title
        return "" if self.viewport is None else export.to_svg(title, shown.curves, self.viewport, counted)

    def _redrawn(self, change: Callable[[], None]) -> list[Changed]:
        before = self._figure.rows
        change()
        self._figure = self._new_figure()
        return differences(before, self._figure.rows)

    def _new_figure(self) -> Figure:
        needed, weight = self._needs_smoothing(), self.weight
        self._smoothed = {
            name: kept if (kept := self._smoothed.get(name)) and kept.weight == weight else Smoothed(series, weight)
            for name, series in self.content.series.items()
            if name in needed
        }
        for smoothed in self._smoothed.values():
            smoothed.advance(_SLICE)
        curves = [
            (name, Curve(series, place, self._smoothed.get(name), self._axis))
            for place, (name, series) in enumerate(itertools.islice(self.content.series.items(), CURVES))
        ]
        content = self.content
        shown = Shown(
            content.title, curves, content.unit, content.marks, content.end, self._note(),
            content.from_zero, content.nothing, self.key_for_all,
        )  # fmt: skip
        return Figure(shown, self.view, *self._size, self.glyphs)

    def _note(self) -> str:
        """How it is smoothed; said in any case to a person who has chosen it."""
        if self._chosen_weight is not None:
            return f"smoothed {self._chosen_weight:g}" if self._chosen_weight else "not smoothed"
        return f"smoothed {self.weight:g}" if self._smoothed and self._size[0] >= _NOTED_FROM else ""

    def _needs_smoothing(self) -> set[str]:
        if not self.weight:
            return set()
        least = _SMOOTHED_FROM if self._chosen_weight is None else _SMOOTHED_ON_DEMAND_FROM
        return {name for name, series in self.content.series.items() if len(series) >= least}

    def _chosen_axis(self) -> Axis:
        if self.content.since is not None:
            self.view.counted = Counted.TIME
            return Since(self.content.since)
        if self.content.over is not Counted.STEP:
            self.view.counted = self.content.over
            return Steps()
        clock = self.content.clocks.get(self.view.counted)
        if clock is None:
            self.view.counted = Counted.STEP
            return Steps()
        return Along(clock)
