"""One optimiser step of a real trainer in this process, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TrainerCallback

from inft import pipeline
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.skips import SkipLedger
from inft.forecast.row_lengths import RowLengths
from inft.models.registry import FAMILIES
from inft.profiles import resolve
from inft.training.arguments import training_arguments
from inft.training.choice_of_rows import rows_to_train_on
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.padding_free import trainer_for
from inft.training.precision import this_machine
from inft.training.report import RunReport
from inft.training.resumed import CheckpointPlan
from tests.training.runs import SHORT, Home

FP32 = ("qlora.load_in_4bit=false", "basic.dtype=float32")


class Built:
    """A model with adapters and its collator, as the pipeline makes them."""

    def __init__(self, home: Home, profile: str, *settings: str) -> None:
        self.config: Config = resolve(profile, [*SHORT, *settings]).config
        self.family = FAMILIES[self.config.family]
        self.run = home.create(profile, *settings)
        self.report = RunReport(self.run)
        self.rows = rows = rows_to_train_on(self.config, self.report, home.root)
        checkpoint = pipeline.fetch(self.config, self.family, self.report, home.root)
        self.collator: CaptionCollator = pipeline.build_collator(self.config, self.family, checkpoint, rows)
        torch.manual_seed(7)
        self.model, self.table = pipeline.build_model(
            self.config, self.family, checkpoint, this_machine(), "sdpa", self.report
        )
        with torch.no_grad():  # fresh adapters are silent; these speak
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02)
        self._root = home.root

    @property
    def lengths(self) -> RowLengths:
        """Of the rows, measured or remembered."""
        return pipeline.measure(self.config, self.rows, self.collator, self.report, self._root, key_before=None).rows


@dataclass
class Step(TrainerCallback):
    """What the optimiser is about to use, before clipping changes nothing but its length; and the step's log."""

    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    log: dict[str, float] = field(default_factory=dict)

    def on_pre_optimizer_step(self, *args: Any, model: torch.nn.Module, **kwargs: Any) -> None:
        self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    def on_log(self, *args: Any, logs: dict[str, float], **kwargs: Any) -> None:
        if "loss" in logs:
            self.log = dict(logs)


def one_step(
    home: Home,
    profile: str,
    micro: int,
    accumulation: int,
    *settings: str,
    rehearses: bool = False,
    step: Step | None = None,
) -> Step:
    """The first optimiser step.

    Args:
        home: whose model it is.
        profile: of the run.
        micro: rows of a micro-batch.
        accumulation: micro-batches of the step.
        settings: besides.
        rehearses: whether the heaviest micro-batch is tried out first.
        step: takes in what came of it, if that is to be looked at after a failure.
    """
    built = Built(
        home,
        profile,
        *FP32,
        f"data.batch_size={micro}",
        f"sft.gradient_accumulation_steps={accumulation}",
        "sft.max_steps=1",
        "sft.max_grad_norm=1000000.0",
        *settings,
    )
    found = step or Step()
    trainer = trainer_for(
        built.config,
        built.family,
        built.collator,
        model=built.model,
        args=training_arguments(built.config, home.root / "out", on_gpu=False),
        lengths=built.lengths,
        cost=cost_by_size,
        held_out=None,
        meter=StepMeter(),
        plan=CheckpointPlan(home.root / "out", ("test",), keep=1),
        report=built.report,
        ledger=SkipLedger(),
        adapter_dtype=torch.float32,
        is_ending=lambda: False,
        rehearses=rehearses,
        callbacks=[found],
    )
    passes: list[None] = []
    last = built.model.get_base_model().model.language_model.norm  # each forward pass runs it once, padded or not
    last.register_forward_pre_hook(lambda *arguments: passes.append(None))
    trainer.train()
    assert len(passes) == accumulation + rehearses
    return found


def assert_same_gradients(found: dict[str, torch.Tensor], right: dict[str, torch.Tensor], tolerance: float) -> None:
    """Of each parameter, by their relative distance."""
    assert found.keys() == right.keys()
    assert len(right) > 40
    for name, gradient in right.items():
        distance = torch.linalg.vector_norm(found[name] - gradient)
        assert distance <= tolerance * torch.linalg.vector_norm(gradient), name
