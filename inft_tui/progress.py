"""The progress of a run on a terminal: one line per stage, redrawn in place only when something changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from inft.runs.jsonl import Line
from inft.runs.narrate import STAGE_NAMES, narrate
from inft.runs.quantities import amount, duration, figure
from inft.runs.visible import visible
from inft_tui.run_state import RunState, Stage
from inft_tui.views import is_error

REDRAW_S = 0.25
"""Shortest time between two drawings of something new: a link over ssh should not feel them."""
IDLE_REDRAW_S = 1.0
"""Time between two drawings of nothing but the clock."""
BAR_FROM_WIDTH = 64
"""A narrower terminal shows the numbers without a bar."""

_TOLD_ABOVE = frozenset({"eval", "alert"})


def draw(state: RunState, now: float, width: int) -> RenderableType:
    """The stages of `state` as lines of at most `width` columns, and below them the figures of training."""
    if not state.stages:
        return Text("starting")  # importing torch alone takes seconds
    with_bar = width >= BAR_FROM_WIDTH
    columns = [Column(no_wrap=True)]
    if with_bar:
        columns.append(Column(width=min(40, width - 48)))
    columns.append(Column(no_wrap=True, overflow="ellipsis", ratio=1))
    table = Table.grid(*columns, padding=(0, 1), expand=True)
    for stage in state.stages.values():
        cells: list[RenderableType] = [Text(visible(STAGE_NAMES.get(stage.name, stage.name)))]
        if with_bar:
            cells.append(_bar(stage, now))
        cells.append(Text(visible(_detail(stage))))
        table.add_row(*cells)
    figures = _figures(state, now)
    return Group(table, Text(figures)) if figures else table


class ProgressView:
    """Draws a run on the terminal behind stdout.

    Args:
        current_step: optimiser steps done by the run's newest heartbeat, which comes oftener than its log lines.
        console: where to draw; None = stdout.
    """

    def __init__(self, current_step: Callable[[], int], console: Console | None = None) -> None:
        self._current_step = current_step
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()
        self._drawn_at = float("-inf")
        self._stale = False

    def update(self, lines: Sequence[Line], state: RunState, now: float) -> None:
        """Redraws what changed, and says alerts and evaluations above it."""
        for line in lines:
            if line.record.get("event") in _TOLD_ABOVE and not is_error(line):
                self._live.console.print(Text(narrate(line.record)))
        self._stale = self._stale or bool(lines)
        waited = now - self._drawn_at
        if waited < REDRAW_S or (waited < IDLE_REDRAW_S and not self._stale):
            return
        if state.training is not None and state.training.ended is None:
            state.reach(self._current_step())
        self._draw(state, now)

    def close(self, state: RunState, now: float) -> None:
        """Leaves a last drawing where it is and gives the cursor back."""
        try:
            self._draw(state, now)
        finally:
            self._live.stop()

    def _draw(self, state: RunState, now: float) -> None:
        self._live.update(draw(state, now, self._console.width), refresh=True)
        self._drawn_at, self._stale = now, False


def _bar(stage: Stage, now: float) -> ProgressBar:
    if stage.total is None and stage.ended is not None:
        return ProgressBar(total=1, completed=1)
    # Without a total the bar only shows that something goes on; rich's own animation would redraw all the time.
    return ProgressBar(total=stage.total, completed=stage.done, pulse=stage.total is None, animation_time=now)


def _detail(stage: Stage) -> str:
    words = amount(stage.done, stage.total, stage.unit)
    return words if stage.ended is None else f"{words}  {duration(stage.ended - stage.began)}"


def _figures(state: RunState, now: float) -> str:
    parts: list[str] = []
    if state.loss is not None:
        parts.append(f"loss {figure(state.loss)}")
    if state.samples_per_sec is not None:
        parts.append(f"{figure(state.samples_per_sec)} samples/s")
    left = state.seconds_left(now)
    if left is not None:
        parts.append(f"ETA {duration(left)}")
    return "  ".join(parts)
