"""Where a step's time goes and what went through it, between two log lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from inft.forecast.flops import BatchContent
from inft.training.stopwatch import Part, Stopwatch, stopwatch_of


@dataclass(frozen=True)
class StepFigures:
    """Means over the optimiser steps since the last figures; times in seconds.

    Attributes:
        data_sec: that the device waited for batches.
        compute_sec: all but that.
        forward_sec: of all micro-batches of a step; as the following two, on the device's time line.
        backward_sec: with what is recomputed.
        optimizer_sec: with the clipping of the gradients.
        model_tflops_per_sec: operations of the model (`inft.forecast.flops`); None = nobody counts them.
        mfu: these as a share, 0 to 1, of what the device reaches in matrix products; None = that is not known.
    """

    step_time_sec: float
    data_sec: float
    compute_sec: float
    forward_sec: float
    backward_sec: float
    optimizer_sec: float
    samples_per_sec: float
    tokens_per_sec: float
    supervised_tokens: int
    model_tflops_per_sec: float | None
    mfu: float | None


class StepMeter:
    """Counts what passes; `take` gives the figures and starts anew.

    Args:
        stopwatch: of the device; None = of the processor.
        flop: operations of the model for a micro-batch, forward and backward; None = nobody counts them.
        matrix_rate: operations a second that the device reaches in matrix products; None = not known.
        clock: seconds from any start; tests hand in their own.
    """

    def __init__(
        self,
        stopwatch: Stopwatch | None = None,
        *,
        flop: Callable[[BatchContent], float] | None = None,
        matrix_rate: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.matrix_rate = matrix_rate
        self._stopwatch = stopwatch or stopwatch_of(torch.device("cpu"))
        self._flop_of = flop
        self._clock = clock
        self._began = clock()
        self.restart()

    def restart(self) -> None:
        """Forgets what was counted; the next figures start here."""
        self._stopwatch.restart()
        self._start()

    def _start(self) -> None:
        self._since = self._clock()
        self._paused = self._flop = 0.0
        self._steps = self._rows = self._tokens = self._supervised = 0

    @property
    def elapsed_sec(self) -> float:
        """Seconds since the meter was made."""
        return self._clock() - self._began

    def begin(self, part: Part, *, after: Part | None = None) -> None:
        """What the device is given from here on is another part of a step; see `Stopwatch.begin`."""
        self._stopwatch.begin(part, after=after)

    def flop(self, content: BatchContent) -> float:
        """Operations of the model for a micro-batch; 0 if nobody counts them."""
        return 0.0 if self._flop_of is None else self._flop_of(content)

    def batches(self, contents: Sequence[BatchContent]) -> None:
        """The micro-batches of one optimiser step are here."""
        for content in contents:
            self._rows += content.rows
            self._tokens += content.tokens
            self._supervised += content.supervised
            self._flop += self.flop(content)

    def step(self) -> None:
        """One optimiser step is done."""
        self.begin("rest")
        self._steps += 1

    def pause(self, seconds: float) -> None:
        """Time that is no part of training, such as an evaluation or a checkpoint."""
        self._paused += seconds

    def take(self) -> StepFigures | None:
        """The figures since the last call, once the device has done its work; None if no step was done."""
        if self._steps == 0:
            return None
        parts = self._stopwatch.take()
        seconds = max(self._clock() - self._since - self._paused, 1e-9)
        rate = self._flop / seconds if self._flop_of else None
        figures = StepFigures(
            step_time_sec=seconds / self._steps,
            data_sec=parts["data"] / self._steps,
            compute_sec=max(seconds - parts["data"], 0.0) / self._steps,
            forward_sec=parts["forward"] / self._steps,
            backward_sec=parts["backward"] / self._steps,
            optimizer_sec=parts["optimizer"] / self._steps,
            samples_per_sec=self._rows / seconds,
            tokens_per_sec=self._tokens / seconds,
            supervised_tokens=self._supervised,
            model_tflops_per_sec=None if rate is None else rate / 1e12,
            mfu=None if rate is None or self.matrix_rate is None else rate / self.matrix_rate,
        )
        self._start()
        return figures
