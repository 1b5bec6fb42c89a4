"""What happens beside the training loop: the log, the checks on it and requests to end it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import IntervalStrategy

from inft.config import Config
from inft.errors import InftError
from inft.evaluation_figures import full_name
from inft.models.adapters import TrainableTable
from inft.models.family import Family
from inft.runs import events
from inft.training.announcements import announce
from inft.training.control import RunControl
from inft.training.meter import StepMeter
from inft.training.report import RunReport

TRAINER_ONLY = ("total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss")
"""Keys of the Trainer's closing log line, which is no step's."""


class TrainerLoggingCallback(TrainerCallback):
    """Turns the Trainer's callbacks into the run's events and status.

    Args:
        report: where they go.
        meter: knows where the time went.
        table: what is trained.
        on_gpu: whether there is GPU memory to speak of.
        forecast_bytes: the forecast's peak of that memory; None = there was none.
        origin: what the run continues, as further keys of `train_begin`.
    """

    def __init__(
        self,
        report: RunReport,
        meter: StepMeter,
        table: TrainableTable,
        *,
        on_gpu: bool,
        forecast_bytes: int | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self._report = report
        self._meter = meter
        self._table = table
        self._on_gpu = on_gpu
        self._forecast: dict[str, Any] = {} if forecast_bytes is None else {"forecast_vram_gib": forecast_bytes / 2**30}
        self._origin = dict(origin or {})

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The loop is about to start."""
        self._meter.restart()
        self._report.state("training")
        self._report.progress(state.global_step, state.max_steps)
        self._report.event(
            events.train_begin(
                max_steps=state.max_steps,
                num_train_epochs=state.num_train_epochs,
                trainable_parameters=self._table.trainable,
                total_parameters=self._table.total_parameters,
                matrix_tflops=None if self._meter.matrix_rate is None else self._meter.matrix_rate / 1e12,
                trainable_by_group={row.group: row.trainable for row in self._table.rows},
                unmatched_targets=list(self._table.unmatched),
                global_step=state.global_step,
                **self._origin,
            )
        )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """One optimiser step is done; the last one is always logged, and evaluated where any is."""
        self._meter.step()
        is_last = state.global_step >= state.max_steps
        control.should_log |= is_last
        control.should_evaluate |= is_last and args.eval_strategy != IntervalStrategy.NO
        self._report.progress(state.global_step, state.max_steps)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """The Trainer has figures."""
        figures: dict[str, Any] = dict(logs or {})
        if "loss" not in figures:
            return  # evaluations come through on_evaluate, the end through on_train_end
        measured = self._meter.take()
        known = {name: figures.pop(name, None) for name in ("loss", "learning_rate", "grad_norm", "epoch")}
        self._report.event(
            events.log(
                global_step=state.global_step,
                elapsed_sec=self._meter.elapsed_sec,
                peak_vram_gib=torch.cuda.max_memory_allocated() / 2**30 if self._on_gpu else None,
                **known,
                **self._forecast,
                **({} if measured is None else vars(measured)),
                **{name: value for name, value in figures.items() if name not in TRAINER_ONLY},
            )
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """An evaluation is done."""
        figures: dict[str, Any] = dict(metrics or {})
        chooses: dict[str, Any] = {"best_by": _chosen_by(args)} if args.load_best_model_at_end else {}
        self._report.event(
            events.eval(
                global_step=state.global_step,
                eval_loss=figures.pop("eval_loss", None),
                epoch=figures.pop("epoch", state.epoch),
                elapsed_sec=self._meter.elapsed_sec,
                **chooses,
                **figures,
            )
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A checkpoint is written."""
        path = f"{args.output_dir}/checkpoint-{state.global_step}"
        self._report.event(events.checkpoint(step=state.global_step, path=path))


class GradientGuard(TrainerCallback):
    """Checks after the first backward pass that a gradient reaches the adapters of every part of the model.

    A hook on the wrong module once left a well-known library's vision adapters without any.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._checked = False

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        """Before the first optimiser step.

        Raises:
            InftError: the adapters of one part have a gradient of zero.
        """
        if self._checked or model is None:
            return
        self._checked = True
        norms = gradient_norms(model, self._family)
        dead = [group for group, norm in norms.items() if norm == 0.0]
        if dead:
            raise InftError(
                f"No gradient reaches the {' and '.join(dead)} adapters in the first step.",
                "Leave that part out (lora.scope, the target lists), or report this: it is a defect.",
            )


def gradient_norms(model: nn.Module, family: Family) -> dict[str, float]:
    """Norm of the gradients of what is trained, for each part of the model that has any; NaN stays NaN."""
    squares: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            square = 0.0 if parameter.grad is None else float(parameter.grad.float().square().sum())
            group = family.group(name)
            squares[group] = squares.get(group, 0.0) + square
    return {group: math.sqrt(square) if math.isfinite(square) else square for group, square in squares.items()}


class Requests(TrainerCallback):
    """Honours at the end of an optimiser step what was asked for during it.

    Attributes:
        cut_short: whether training ends before its last step because somebody asked for that.

    Args:
        control: what was asked for.
        report: knows whether the log's disk is full, which ends the run in the same way.
    """

    def __init__(self, control: RunControl, report: RunReport) -> None:
        self.cut_short = False
        self._control = control
        self._report = report

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Asks the Trainer to save, and to end."""
        control.should_save |= self._control.take_save()
        if state.global_step >= state.max_steps:
            return
        if self._control.stop is not None:
            self.cut_short = True
            control.should_log = True
        if self.cut_short or self._report.disk_problem is not None:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A checkpoint is complete; who asked to stop meanwhile need not wait for another one."""
        self._control.saved()
        if self._control.stop is not None and state.global_step < state.max_steps:
            self.cut_short = True
            control.should_log = True
            control.should_training_stop = True


class ResumableEarlyStopping(EarlyStoppingCallback):
    """Early stopping that goes on counting in a resumed run, and ends at once one that had already ended.

    Args:
        patience: evaluations without improvement.
        threshold: a smaller change is none.
        report: is told of the end.
    """

    def __init__(self, patience: int, threshold: float, report: RunReport) -> None:
        super().__init__(patience, threshold)
        self._report = report

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """An evaluation is done."""
        went_on = not control.should_training_stop
        super().on_evaluate(args, state, control, metrics or {}, **kwargs)
        if went_on and control.should_training_stop and state.global_step < state.max_steps:
            announce(
                self._report,
                "early stop",
                f"{_chosen_by(args)} has not improved by more than "
                f"{self.early_stopping_threshold:g} in {self.early_stopping_patience} evaluations, so training ends "
                f"after step {state.global_step} of {state.max_steps}.",
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The checkpoint, if any, is loaded; its state holds what this callback said of itself."""
        super().on_train_begin(args, state, control, **kwargs)
        name = type(self).__name__
        states: Any = state.stateful_callbacks
        stored = states.setdefault(name, self.state())
        self.early_stopping_patience_counter = stored["attributes"]["early_stopping_patience_counter"]
        control.should_training_stop |= self.early_stopping_patience_counter >= self.early_stopping_patience


def _chosen_by(args: TrainingArguments) -> str:
    """The figure that says which checkpoint is the best."""
    assert args.metric_for_best_model is not None
    return full_name(args.metric_for_best_model)


def early_stopping(config: Config, report: RunReport) -> list[TrainerCallback]:
    """The callback that ends a run which no longer improves, if there is an evaluation to tell by."""
    sft = config.sft
    if not config.evaluates or sft.early_stopping_patience == 0:
        return []
    return [ResumableEarlyStopping(sft.early_stopping_patience, sft.early_stopping_threshold, report)]
