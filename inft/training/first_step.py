"""The first optimiser step as the heaviest one, and its peak beside the forecast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from inft.machine.units import GIB
from inft.runs.events import AlertLevel

FAR_OFF = 0.1
"""Share of the forecast that a measured peak may differ by without a warning."""


class FirstStep(TrainerCallback):
    """Has the first step take what later ones take, and says how far the forecast was off.

    The optimiser makes its state at the end of the first step. Until then as much memory is held in its place:
    otherwise a later step might not fit although the first one, whose batches are the heaviest, did.

    Args:
        forecast_bytes: most that tensors take at once, as forecast.
        state_bytes: what the optimiser's state will take.
        hold: allocates so many bytes on the card, until what it returns is dropped.
        peak: most bytes that tensors have taken so far.
        tell: is given the sentence and its level.
    """

    def __init__(
        self,
        *,
        forecast_bytes: int,
        state_bytes: int,
        hold: Callable[[int], object],
        peak: Callable[[], int],
        tell: Callable[[str, AlertLevel], None],
    ) -> None:
        self._forecast = forecast_bytes
        self._state = state_bytes
        self._hold = hold
        self._peak = peak
        self._tell = tell
        self._held: object = None
        self._told = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The loop is about to start; a resumed run has its optimiser's state already."""
        if state.global_step == 0:
            self._held = self._hold(self._state)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The gradients are complete, the state is about to be made."""
        self._held = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A step is done."""
        if self._told:
            return
        self._told = True
        measured = self._peak()
        off = measured / self._forecast - 1
        self._tell(
            f"Peak GPU memory of the first step: {measured / GIB:.2f} GiB; forecast: {self._forecast / GIB:.2f} GiB "
            f"({100 * off:+.1f} %).",
            "warning" if abs(off) > FAR_OFF else "info",
        )
