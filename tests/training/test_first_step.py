from __future__ import annotations

import weakref

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from inft.training.first_step import FirstStep

GIB = 2**30


class Card:
    """Counts what is held, as a GPU's allocator does."""

    def __init__(self, other: int) -> None:
        self.other = other
        self.peak = other
        self._held: weakref.ref[torch.Tensor] | None = None

    @property
    def held(self) -> int:
        tensor = None if self._held is None else self._held()
        return 0 if tensor is None else tensor.nbytes

    def hold(self, size: int) -> torch.Tensor:
        tensor = torch.empty(size, dtype=torch.uint8, device="meta")
        self._held = weakref.ref(tensor)
        self.peak = max(self.peak, self.other + size)
        return tensor


def run_steps(card: Card, *, forecast: int, start: int = 0, steps: int = 2) -> tuple[list[int], list[tuple[str, str]]]:
    """What is held in each backward pass, and what was told."""
    told: list[tuple[str, str]] = []
    callback = FirstStep(
        forecast_bytes=forecast,
        state_bytes=2 * GIB,
        hold=card.hold,
        peak=lambda: card.peak,
        tell=lambda text, level: told.append((text, level)),
    )
    arguments, control = TrainingArguments(output_dir="unused", use_cpu=True), TrainerControl()
    state = TrainerState(global_step=start)
    held = []
    callback.on_train_begin(arguments, state, control)
    for _ in range(steps):
        held.append(card.held)
        callback.on_pre_optimizer_step(arguments, state, control)
        assert card.held == 0
        state.global_step += 1
        callback.on_step_end(arguments, state, control)
    return held, told


def test_the_first_step_holds_the_room_that_later_ones_lack() -> None:
    held, _ = run_steps(Card(10 * GIB), forecast=12 * GIB)
    assert held == [2 * GIB, 0]


def test_a_resumed_run_has_its_state_already() -> None:
    held, told = run_steps(Card(12 * GIB), forecast=12 * GIB, start=40)
    assert held == [0, 0]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("forecast", "level", "difference"),
    [(12.0, "info", "+0.0 %"), (11.0, "info", "+9.1 %"), (10.5, "warning", "+14.3 %"), (14.0, "warning", "-14.3 %")],
)
def test_the_measured_peak_stands_beside_the_forecast_once(forecast: float, level: str, difference: str) -> None:
    _, told = run_steps(Card(10 * GIB), forecast=int(forecast * GIB))
    text = f"Peak GPU memory of the first step: 12.00 GiB; forecast: {forecast:.2f} GiB ({difference})."
    assert told == [(text, level)]
