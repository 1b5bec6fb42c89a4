"""A trainer whose checkpoints are complete or not there, and whose resumed runs follow the uninterrupted curve.

It stands over transformers' `Trainer` alone, so that a trainer of any model can use it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import IntervalStrategy

from inft.errors import DiskError
from inft.runs import events
from inft.runs.checkpoints import commit, read_complete, rotate, staging_folder
from inft.training.randomness import own_randomness
from inft.training.report import RunReport
from inft.training.resume_state import ResumeState
from inft.training.resumed import (
    TRAINER_STATE,
    CheckpointPlan,
    Resumed,
    find_best,
    for_criterion,
    in_own_folder,
    is_of_step,
)


class CheckpointingTrainer(Trainer):
    """A `Trainer` that saves and resumes as above; other trainers can be mixed in behind it.

    `train(resume_from_checkpoint=FOLDER)` goes on with everything that shapes the curve: what the Trainer itself
    restores, the losses since the last log line, the best checkpoint and what `figures` gives. `args.save_total_limit`
    is not used, `plan.keep` is. Where the best checkpoint is to be loaded at the end, every evaluation that is the best
    so far is followed by a checkpoint, whether one is due or not.

    An evaluation does not hold up an end: it is left out or broken off, the run ends with a checkpoint of that step,
    and whoever resumes from it evaluates first.

    Attributes:
        evaluation_due: whether the run ended at an evaluation that was left out.
        loaded_best: the step of the best checkpoint if the model is that one's at the end; None = the last step's.

    Args:
        plan: where checkpoints go and which of them stay.
        report: is told of saves, evaluations and every batch.
        is_ending: whether somebody wants the run to end.
        args: for the trainer behind.
        kwargs: likewise.
    """

    def __init__(
        self, *args: Any, plan: CheckpointPlan, report: RunReport, is_ending: Callable[[], bool], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.args.save_total_limit = None  # the Trainer deletes file by file, whoever the checkpoint is of
        self.plan = plan
        self.evaluation_due = False
        self.loaded_best: int | None = None
        self._report = report
        self._is_ending = is_ending
        self._staging: Path | None = None
        self._losses: list[torch.Tensor] = []
        self._loss_sum = 0.0
        self._loss_since = 0
        self._evaluated = False
        self.add_callback(_GoingOn(self))
        self.resumed: Resumed | None = None

    def figures(self) -> dict[str, Any]:
        """What a subclass counts and a resumed run has to go on counting; plain JSON."""
        return {}

    def go_on_from(self, figures: Mapping[str, Any]) -> None:
        """Takes back what `figures` gave when the checkpoint was written."""

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """Trains, from the beginning or from a checkpoint's folder.

        Raises:
            DataError: the folder is no checkpoint that can be resumed exactly.
        """
        if isinstance(resume_from_checkpoint, str):
            state = ResumeState.read(Path(resume_from_checkpoint))
            self._loss_sum, self._loss_since = state.loss_sum, state.loss_since
            self.evaluation_due = state.evaluation_due and self.args.eval_strategy != IntervalStrategy.NO
            self.go_on_from(state.figures)
            with self._report.saving():
                found = find_best(Path(resume_from_checkpoint), self.plan)
                self.resumed = in_own_folder(for_criterion(found, state, self.plan), self.plan)
            resume_from_checkpoint = str(self.resumed.path)
        result = super().train(resume_from_checkpoint, *args, **kwargs)
        if self.args.load_best_model_at_end and self._evaluated and self.state.best_model_checkpoint is None:
            self.warn(
                "earlier",
                f"No checkpoint is known to be the best by {self.args.metric_for_best_model}.",
                "The final adapters are those of the last step.",
            )
        return result

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """The micro-batches of one optimiser step; none when a resumed run was already at its end.

        The Trainer itself would only look after one more step.
        """
        if self.control.should_training_stop:
            return [], None
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One micro-batch forward and backward."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self._report.beat()
        self._losses.append(loss)
        if self.accelerator.sync_gradients:
            self.backward_is_under_way()
            whole = sum(torch.stack(self._losses).tolist())
            self._losses.clear()
            self._loss_sum += whole
            self.check_loss(whole)
        return loss

    def backward_is_under_way(self) -> None:
        """The device has been given all of an optimiser step's backward passes, and nobody has waited for it yet."""

    def check_loss(self, loss: float) -> None:
        """Hears of each optimiser step's loss, before the step is made of it."""

    def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
        """One evaluation batch.

        Raises:
            EvaluationCut: the run is to end.
        """
        self._unless_ending()
        result = super().prediction_step(*args, **kwargs)
        self._report.beat()
        return result

    def between_batches(self) -> None:
        """Work of an evaluation that is no prediction step goes on.

        Raises:
            EvaluationCut: the run is to end.
        """
        self._unless_ending()
        self._report.beat()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """One evaluation.

        Raises:
            EvaluationCut: the run is to end.
        """
        self._unless_ending()
        with self._report.phase("evaluating"), own_randomness():
            return super().evaluate(*args, **kwargs)

    def evaluate_what_is_due(self) -> None:
        """Makes up for the evaluation that the run before left out at the step that this one starts from."""
        assert self.resumed is not None
        try:
            metrics = self._evaluate(None, None)
        except EvaluationCut:
            self.end_at_an_evaluation()  # and its checkpoint is the one that this run started from
            return
        self.evaluation_due = False
        if self._determine_best_metric(metrics, None):
            self.state.best_model_checkpoint = str(self.resumed.path)
            self.control.should_save = False  # it is there

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        self._evaluated = True
        is_best: bool = super()._determine_best_metric(metrics, trial)
        if is_best and self.args.load_best_model_at_end:
            # The Trainer itself takes note of the best figure, and of a checkpoint only if one was due anyway.
            self.control.should_save = True
        return is_best

    def _load_callback_state(self) -> None:
        """The state of the run before was read, and nobody has looked at it yet."""
        if self.resumed is not None and self.resumed.other_criterion is not None:
            self.state.best_metric = self.state.best_global_step = self.state.best_model_checkpoint = None
            states: Any = self.state.stateful_callbacks
            for callback in self.callback_handler.callbacks:
                if isinstance(callback, EarlyStoppingCallback):
                    states.pop(type(callback).__name__, None)
        super()._load_callback_state()

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._maybe_log_save_evaluate(*args, **kwargs)
            return
        except EvaluationCut:
            self.end_at_an_evaluation()
        self.control.should_save = True
        super()._maybe_log_save_evaluate(*args, **kwargs)

    def end_at_an_evaluation(self) -> None:
        """Lets the run end before an evaluation that is due."""
        self.evaluation_due = True
        self._report.state("training")
        assert self.model is not None
        self.model.train()  # what is logged now is of training again
        self.control.should_evaluate = False
        self.control.should_log = True
        self.control.should_training_stop = True

    def _unless_ending(self) -> None:
        if self._is_ending():
            raise EvaluationCut

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Passes figures on, the loss as the mean over the steps since the last regular log line.

        The Trainer's own mean starts anew at every line and every resume, so an additional line at a stop, or a
        checkpoint between two lines, would change the lines after it.
        """
        is_of_steps = "loss" in logs
        if is_of_steps:
            logs["loss"] = self._loss_sum / (self.state.global_step - self._loss_since)
        super().log(logs, start_time)
        if is_of_steps and self.logs_regularly():
            self._loss_sum, self._loss_since = 0.0, self.state.global_step

    def logs_regularly(self) -> bool:
        """Whether a log line is due after the present step, whoever else wants one."""
        step = self.state.global_step
        if self.args.logging_strategy != IntervalStrategy.STEPS:
            return True
        return (step == 1 and self.args.logging_first_step) or step % self.state.logging_steps == 0

    def warn(self, kind: str, message: str, fix: str) -> None:
        """Lets a person know of something that is no reason to end the run."""
        self._report.event(events.alert(level="warning", kind=kind, message=message, fix=fix))

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._staging is None else str(self._staging)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        final = self.plan.path(step)
        with self._report.saving():
            self._staging = staging_folder(self.plan.output_dir, self.plan.run_id)
            staged = self._staging / final.name
            try:
                shutil.rmtree(staged, ignore_errors=True)
                super()._save_checkpoint(model, trial)
                if self.state.best_model_checkpoint == str(staged):
                    self.state.best_model_checkpoint = str(final)
                    self.state.save_to_json(str(staged / TRAINER_STATE))
                ResumeState(
                    self._loss_sum,
                    self._loss_since,
                    self.plan.rows,
                    self.figures(),
                    self.evaluation_due,
                    self.plan.criterion,
                ).write(staged)
                commit(staged, final, run_id=self.plan.run_id, step=step, base=self.plan.base)
            except BaseException:
                shutil.rmtree(self._staging, ignore_errors=True)
                raise
            finally:
                self._staging = None
            self._rotate()

    def _load_best_model(self) -> None:
        assert self.state.best_model_checkpoint is not None
        best = Path(self.state.best_model_checkpoint)
        found = read_complete(best)
        if found is None or found.run_id not in self.plan.lineage or not is_of_step(best, found.step):
            self.warn(
                "earlier",
                f"The best checkpoint, {best}, is gone or another run's.",
                "The final adapters are those of the last step.",
            )
            return
        super()._load_best_model()
        self.loaded_best = found.step

    def _rotate(self) -> None:
        best = self.state.best_model_checkpoint
        try:
            rotate(
                self.plan.output_dir,
                run_ids=self.plan.lineage,
                keep=self.plan.keep,
                best=None if best is None else Path(best),
            )
        except DiskError as error:  # one checkpoint too many is no reason to end a run
            self.warn(error.kind, error.message, error.fix)


class EvaluationCut(Exception):
    """An evaluation was left out or broken off, since the run is to end."""


class _GoingOn(TrainerCallback):
    """Mends the Trainer's state at the start of a resumed run."""

    def __init__(self, trainer: CheckpointingTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The checkpoint is loaded."""
        resumed = self._trainer.resumed
        if resumed is None:
            return
        # The loaded state brought the old run's intervals; how often to log, save and evaluate may be changed.
        state.compute_steps(args, state.max_steps)
        state.best_model_checkpoint = None if resumed.best is None else str(resumed.best)
        if resumed.lost_best is not None:
            self._trainer.warn(
                "earlier",
                f"The best checkpoint so far, {resumed.lost_best}, is gone.",
                "Unless a later evaluation is better, the final adapters will be those of the last step.",
            )
        if resumed.other_criterion is not None:
            self._trainer.warn(
                "earlier",
                f"What is best is decided by other figures than in the run before: {resumed.other_criterion}.",
                "The best checkpoint is chosen among this run's own evaluations, and their count for early stopping "
                "begins anew.",
            )
        if self._trainer.evaluation_due:
            self._trainer.evaluate_what_is_due()
        control.should_training_stop |= state.global_step >= state.max_steps
