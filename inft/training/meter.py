"""Where a step's time goes and what went through it, between two log lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepFigures:
    """Means over the optimiser steps since the last figures; times in seconds."""

    step_time_sec: float
    data_sec: float
    compute_sec: float
    samples_per_sec: float
    tokens_per_sec: float
    supervised_tokens: int


class StepMeter:
    """Counts what passes; `take` gives the figures and starts anew.

    Args:
        clock: seconds from any start; tests hand in their own.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = clock()
        self.restart()

    def restart(self) -> None:
        """Forgets what was counted; the next figures start here."""
        self._since = self._clock()
        self._paused = 0.0
        self._data = 0.0
        self._steps = self._rows = self._tokens = self._supervised = 0

    @property
    def elapsed_sec(self) -> float:
        """Seconds since the meter was made."""
        return self._clock() - self._began

    def batches(self, seconds: float, rows: int, tokens: int, supervised: int) -> None:
        """The micro-batches of one optimiser step are here.

        Args:
            seconds: how long the trainer waited for them.
            rows: rows in them.
            tokens: tokens in them, padding not counted.
            supervised: tokens that carry the loss.
        """
        self._data += seconds
        self._rows += rows
        self._tokens += tokens
        self._supervised += supervised

    def step(self) -> None:
        """One optimiser step is done."""
        self._steps += 1

    def pause(self, seconds: float) -> None:
        """Time that is no part of training, such as an evaluation or a checkpoint."""
        self._paused += seconds

    def take(self) -> StepFigures | None:
        """The figures since the last call; None if no step was done."""
        if self._steps == 0:
            return None
        seconds = max(self._clock() - self._since - self._paused, 1e-9)
        figures = StepFigures(
            step_time_sec=seconds / self._steps,
            data_sec=self._data / self._steps,
            compute_sec=max(seconds - self._data, 0.0) / self._steps,
            samples_per_sec=self._rows / seconds,
            tokens_per_sec=self._tokens / seconds,
            supervised_tokens=self._supervised,
        )
        self.restart()
        return figures
