"""One recipe trained once over given rows, at its own pace: what its steps took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from benchmarks.guide_recipe import ATTENTION, guide_adapters, train_as_guide
from benchmarks.our_recipe import our_adapters, our_trainer
from benchmarks.random_base import RandomBase, free_memory
from benchmarks.recipes import GUIDE, Recipe, effective_batch
from benchmarks.workload import collator_of, lengths_of
from inft.config import Config
from inft.data.encoding import EncodedRow, EncodingLimits
from inft.forecast.flops import BatchContent, ModelFlop
from inft.machine.units import GIB
from inft.training.meter import StepFigures, StepMeter
from inft.training.stopwatch import stopwatch_of

WARM_UP = 1
"""Optimiser steps at the beginning that are stated apart: what is compiled is compiled in them."""

PARTS = ("data_sec", "forward_sec", "backward_sec", "optimizer_sec")


class Clock(TrainerCallback):
    """Notes when each optimiser step ends; the device has done its work by then.

    Args:
        meter: knows where the time goes; None = it is not asked for.
    """

    def __init__(self, meter: StepMeter | None = None) -> None:
        self.marks: list[float] = []
        self.figures: list[StepFigures] = []
        self._meter = meter

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """The first step begins."""
        if self._meter is not None:
            self._meter.restart()
        self._mark()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """A step is done, its update of the weights included."""
        self._mark()
        if self._meter is not None:
            self._meter.step()
            figures = self._meter.take()
            assert figures is not None  # a step was just counted
            self.figures.append(figures)

    @property
    def seconds(self) -> list[float]:
        """Of each step."""
        return [round(end - begin, 4) for begin, end in zip(self.marks, self.marks[1:], strict=False)]

    def _mark(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())


def visit(base: RandomBase, recipe: Recipe, rows: Sequence[EncodedRow], *, tiny: bool) -> dict[str, Any]:
    """Trains once over `rows` on a model of its own.

    Args:
        base: makes the model.
        recipe: how it is trained.
        rows: of some optimiser steps, the first of which warm up.
        tiny: whether the model is.

    Returns:
        What it took; without times if it ran out of memory.
    """
    batch = effective_batch(tiny)
    config = recipe.config(base.family.name, tiny=tiny, steps=len(rows) // batch)
    steps = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    flop = ModelFlop(config, base.architecture)
    line = {
        "micro_batch": 1 if recipe.name == GUIDE else config.data.batch_size,
        "rows": batch,
        "tokens": [sum(len(row.input_ids) for row in step) for step in steps],
        "model_tflop": [round(sum(flop.total(_content(base, row)) for row in step) / 1e12, 3) for step in steps],
    }
    train = _as_guide if recipe.name == GUIDE else _as_ours
    try:
        return line | train(base, config, rows, batch) | _peak(base.device)
    except torch.cuda.OutOfMemoryError as error:
        return line | {"out_of_memory": str(error).split(". ")[0]}
    finally:
        torch._dynamo.reset()  # what was compiled belongs to a model that is gone
        free_memory()


def _content(base: RandomBase, row: EncodedRow) -> BatchContent:
    lengths = lengths_of(base.family, [row])
    return BatchContent((lengths.tokens[0],), lengths.tiles[0], lengths.supervised[0])


def _as_guide(base: RandomBase, config: Config, rows: Sequence[EncodedRow], batch: int) -> dict[str, Any]:
    began = time.perf_counter()
    collator = collator_of(base.family, base.processor, rows, EncodingLimits.of(config))
    attention = ATTENTION[base.family.name]
    built = base.build(config.qlora, attention)
    _forget_peak(base.device)
    model = guide_adapters(built)
    clock = Clock()
    losses = train_as_guide(model, collator, rows, [clock], accumulation=batch, on_gpu=base.device.type == "cuda")
    return {"attention": attention} | _times(clock, began) | _learnt(model, losses)


def _as_ours(base: RandomBase, config: Config, rows: Sequence[EncodedRow], batch: int) -> dict[str, Any]:
    began = time.perf_counter()
    collator = collator_of(base.family, base.processor, rows, EncodingLimits.of(config))
    built = base.build(config.qlora)
    _forget_peak(base.device)
    model = our_adapters(base, built, config)
    meter = StepMeter(stopwatch_of(base.device))
    clock = Clock(meter)
    lengths = lengths_of(base.family, rows)
    with our_trainer(base, model, config, collator, lengths, meter=meter, callbacks=[clock]) as trainer:
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    warm = clock.figures[WARM_UP:]
    parts = {part: round(statistics.median(vars(figures)[part] for figures in warm), 4) for part in PARTS}
    return _times(clock, began) | parts | _learnt(model, losses)


def _times(clock: Clock, began: float) -> dict[str, Any]:
    return {
        "before_first_step_s": round(clock.marks[0] - began, 1),
        "warm_up_s": clock.seconds[:WARM_UP],
        "steps_s": clock.seconds[WARM_UP:],
    }


def _learnt(model: nn.Module, losses: Sequence[float]) -> dict[str, Any]:
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {"trainable": trainable, "losses": [round(loss, 4) for loss in losses]}


def _forget_peak(device: torch.device) -> None:
    """What making a random base took is no part of a recipe."""
    free_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> dict[str, float]:
    if device.type != "cuda":
        return {}
    return {
        "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
        "reserved_gib": round(torch.cuda.max_memory_reserved() / GIB, 2),
    }
