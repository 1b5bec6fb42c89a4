"""The curves of several runs in one chart."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import le

from inft_tui.charts.axis import Along
from inft_tui.charts.chart import Content
from inft_tui.charts.series import Series
from inft_tui.charts.view import Counted
from inft_tui.monitor.catalogue import titled

LETTERS = "ABCDEFGH"
"""What runs are called where their names have no room."""
CLOCKS = {Counted.EPOCH: "epoch", Counted.TIME: "elapsed_sec"}
_FIRST = ("loss", "eval_loss", "learning_rate", "grad_norm", "samples_per_sec", "tokens_per_sec", "peak_vram_gib")
_LOWER = ("loss", "perplexity", "ppl", "error", "wer", "cer")
_HIGHER = ("per_sec", "mfu", "acc", "bleu", "chrf", "cider", "f1", "reward")


@dataclass(frozen=True)
class Curves:
    """What an overlay needs of a run.

    Attributes:
        series: by name; x = steps.
        axes: other ways to count, as series over steps.
        max_steps: the last step that there will be; None = not known.
    """

    series: Mapping[str, Series]
    axes: Mapping[str, Series]
    max_steps: int | None = None


class Rebased:
    """A curve over epochs or seconds of its own run, which goes on as the run does.

    Attributes:
        series: the curve; x = what the clock counts.

    Args:
        source: the curve over steps.
        clock: where the steps lie.
    """

    def __init__(self, source: Series, clock: Series) -> None:
        self.source, self.clock = source, clock
        self.series = Series(source.name)
        self._axis = Along(clock)
        self._seen = 0
        self._cuts_seen = (len(source.cuts), len(clock.cuts))

    def advance(self) -> None:
        """Takes in what has come since."""
        source = self.source
        cuts = (len(source.cuts), len(self.clock.cuts))
        if cuts != self._cuts_seen:
            self._cuts_seen, self._seen = cuts, 0
            self.series.truncate_from(-math.inf)
        if len(self.clock) < 2:
            return  # nothing can be placed between fewer than two moments
        # What lies behind the clock's last note would only be guessed, and have to be moved afterwards.
        start, stop = self._seen, bisect_right(source.x, self.clock.x[-1], self._seen)
        self.series.extend(self._positions(start, stop), source.y[start:stop])
        self._seen = stop

    def _positions(self, start: int, stop: int) -> array[float]:
        """Where points lie; of a curve that was noted together with the clock, as most are, at once."""
        xs, clock = self.source.x[start:stop], self.clock
        noted = clock.y[start:stop]
        if xs == clock.x[start:stop] and all(map(le, noted, noted[1:])):
            return noted
        return array("d", [self._axis.position(x) for x in xs])


class Overlay:
    """One figure of several runs over steps, epochs or time.

    Attributes:
        series: of each run, in their order; an empty one where it has no such figure.
        content: for the chart; runs are called by their letters.

    Args:
        name: of the figure.
        runs: as many as there are `LETTERS` at the most.
        counted: what the x axis counts.
    """

    def __init__(self, name: str, runs: Sequence[Curves], counted: Counted) -> None:
        self.name, self.counted = name, counted
        self.sources = [run.series.get(name) for run in runs]
        self._rebased: list[Rebased] = []
        self.series = [self._over(run, source) for run, source in zip(runs, self.sources, strict=True)]
        title, unit = titled(name)
        self.content = Content(
            title,
            dict(zip(LETTERS, self.series, strict=False)),
            unit,
            end=self.end(runs),
            smooth=name not in ("learning_rate", "peak_vram_gib") and not name.startswith("eval_"),
            over=counted,
        )
        self.advance()

    def shows(self, name: str, runs: Sequence[Curves], counted: Counted) -> bool:
        """Whether it is what these arguments would make, or that a while ago."""
        if (name, counted, len(runs)) != (self.name, self.counted, len(self.sources)):
            return False
        if any(run.series.get(name) is not source for run, source in zip(runs, self.sources, strict=True)):
            return False
        return counted is Counted.STEP or len(self._rebased) == sum(
            name in run.series and CLOCKS[counted] in run.axes for run in runs
        )

    def end(self, runs: Sequence[Curves]) -> float | None:
        """The last step that any of the runs will do; None where that is not known, or no steps are counted."""
        end = max((run.max_steps or 0 for run in runs), default=0)
        return float(end) if end and self.counted is Counted.STEP else None

    def advance(self) -> None:
        """Takes in what has come since."""
        for rebased in self._rebased:
            rebased.advance()

    def _over(self, run: Curves, source: Series | None) -> Series:
        if source is None:
            return Series(self.name)
        if self.counted is Counted.STEP:
            return source
        clock = run.axes.get(CLOCKS[self.counted])
        if clock is None:
            return Series(self.name)
        self._rebased.append(Rebased(source, clock))
        return self._rebased[-1].series


class Best:
    """The lowest or highest value of a curve so far; a point is looked at once."""

    def __init__(self, series: Series, *, lowest: bool) -> None:
        self.series = series
        self._lowest = lowest
        self._seen = 0
        self._cuts_seen = len(series.cuts)
        self._place: int | None = None

    def find(self) -> tuple[float, float] | None:
        """(x, value); None where there is no finite value."""
        series = self.series
        if len(series.cuts) != self._cuts_seen:
            self._cuts_seen, self._seen, self._place = len(series.cuts), 0, None
        ys = series.y
        for place in range(self._seen, len(series)):
            value = ys[place]
            if not math.isfinite(value):
                continue
            held = self._place
            if held is None or (value < ys[held] if self._lowest else value > ys[held]):
                self._place = place
        self._seen = len(series)
        return None if self._place is None else (series.x[self._place], ys[self._place])


def is_lower_better(name: str) -> bool | None:
    """Whether a figure is better the lower it is; None where neither is.

    >>> is_lower_better("eval_loss"), is_lower_better("samples_per_sec"), is_lower_better("learning_rate")
    (True, False, None)
    """
    if any(part in name.lower() for part in _LOWER):
        return True
    return False if any(part in name.lower() for part in _HIGHER) else None


def figures_of(runs: Sequence[Curves]) -> list[str]:
    """The names of all figures that some run has, those first that people look at."""
    names = dict.fromkeys(name for run in runs for name in run.series)
    return [*(name for name in _FIRST if name in names), *(name for name in names if name not in _FIRST)]


def counts_of(runs: Sequence[Curves]) -> list[Counted]:
    """What the x axis can count."""
    return [Counted.STEP, *(counted for counted, key in CLOCKS.items() if any(key in run.axes for run in runs))]


def value_at(series: Series, x: float) -> float | None:
    """The value of the last point that is not beyond `x`; None where there is none."""
    place = bisect_right(series.x, x) - 1
    return series.y[place] if place >= 0 else None
