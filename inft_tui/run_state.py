"""What the events of a run add up to: the picture that a progress view draws and a summary tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from inft.runs.jsonl import Record
from inft.runs.narrate import kept_words, number, text

TRAINING = "training"


@dataclass
class Stage:
    """One long piece of work.

    Attributes:
        name: as its events say.
        done: how much of it is done, in `unit`.
        total: how much there is; None while nobody knows.
        unit: what is counted.
        began: seconds on the caller's clock.
        ended: the same; None while it goes on.
    """

    name: str
    began: float
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    ended: float | None = None


@dataclass(frozen=True)
class Sample:
    """A caption of the model beside the corpus's own."""

    language: str
    reference: str
    caption: str


@dataclass
class RunState:
    """A run as its events tell it, fed with `apply`.

    Attributes:
        stages: in the order of their beginning; training is one of them.
        first_step: optimiser steps done before this run, after a resume.
        loss, first_loss: of the newest and the oldest log line; None = not known or not finite.
        samples_per_sec: of the newest log line.
        samples: captions of the newest step that some were made at, in the order of their coming.
        first_eval, last_eval: the oldest and the newest evaluation.
        errors: alerts of level error.
        best_model_dir: where the adapters lie, once they do.
        kept: which step's they are, in words, where there was a choice.
        sampled_at: the step of the samples.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    first_step: float = 0.0
    loss: float | None = None
    first_loss: float | None = None
    samples_per_sec: float | None = None
    samples: list[Sample] = field(default_factory=list)
    first_eval: Record | None = None
    last_eval: Record | None = None
    errors: list[Record] = field(default_factory=list)
    best_model_dir: str | None = None
    kept: str = ""
    sampled_at: float | None = None

    @property
    def training(self) -> Stage | None:
        """The training stage; None before it began."""
        return self.stages.get(TRAINING)

    def apply(self, event: Record, now: float) -> None:
        """Takes in one event.

        Args:
            event: a line of `metrics.jsonl`; unknown ones change nothing.
            now: seconds on any steady clock.
        """
        match event.get("event"):
            case "stage":
                self._stage(event, now)
            case "train_begin":
                self.first_step = number(event, "global_step") or 0.0
                stage = self._begin(TRAINING, now)
                stage.total, stage.unit = number(event, "max_steps"), "steps"
                stage.done = max(stage.done, self.first_step)
            case "log":
                self._log(event, now)
            case "sample":
                step = number(event, "global_step")
                if step != self.sampled_at:
                    self.samples, self.sampled_at = [], step
                self.samples.append(
                    Sample(text(event, "language"), text(event, "reference_caption"), text(event, "generated_caption"))
                )
            case "eval":
                self.first_eval = self.first_eval or event
                self.last_eval = event
            case "alert" if event.get("level") == "error":
                self.errors.append(event)
            case "train_end":
                self.best_model_dir = text(event, "best_model_dir") or self.best_model_dir
                self.kept = kept_words(event).strip(" ,")
                self.reach(number(event, "global_step") or 0.0)
                if self.training is not None and self.training.ended is None:
                    self.training.ended = now
            case _:
                pass

    def reach(self, step: float) -> None:
        """Training has come to `step`, as something newer than the last event says."""
        if self.training is not None:
            self.training.done = max(self.training.done, step)

    def seconds_left(self, now: float) -> float | None:
        """How long training will still take at its mean pace so far; None before its first step."""
        stage = self.training
        if stage is None or stage.total is None or stage.ended is not None:
            return None
        steps = stage.done - self.first_step
        return (now - stage.began) / steps * (stage.total - stage.done) if steps > 0 else None

    def _stage(self, event: Record, now: float) -> None:
        stage = self._begin(text(event, "name"), now)
        stage.done = number(event, "done") or 0.0
        stage.total, stage.unit = number(event, "total"), text(event, "unit")
        if stage.total is not None and stage.done >= stage.total and stage.ended is None:
            stage.ended = now

    def _begin(self, name: str, now: float) -> Stage:
        """The stage of that name; where it is new, those that counted without a total are over."""
        if name not in self.stages:
            for other in self.stages.values():
                if other.total is None and other.ended is None:
                    other.ended = now
            self.stages[name] = Stage(name, began=now)
        return self.stages[name]

    def _log(self, event: Record, now: float) -> None:
        loss = number(event, "loss")
        if loss is not None or "loss" in event:
            self.loss = loss
        if self.first_loss is None:
            self.first_loss = loss
        self.samples_per_sec = number(event, "samples_per_sec") or self.samples_per_sec
        self.reach(number(event, "global_step") or 0.0)
