"""The stand-in trainer of the fault campaign: the real `inft.trainer` and `inft.pipeline` on a model of 17 numbers.

Everything that a fault could break is the real thing: process, control, report, callbacks, checkpoints, results,
resume. Only corpus, model and the trainer's own batches are replaced, so that a run takes a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import TrainerCallback
from trl import SFTConfig

from inft import pipeline
from inft.data.cached_lengths import Lengths
from inft.data.skips import SkipLedger
from inft.forecast.flops import BatchContent
from inft.forecast.row_lengths import RowLengths
from inft.forecast.statistics import Statistics
from inft.models.adapters import TrainableRow, TrainableTable
from inft.training.checkpointing import CheckpointingTrainer
from inft.training.meter import StepMeter
from inft.training.report import RunReport
from inft.training.resume_state import RowsFingerprint
from inft.training.resumed import CheckpointPlan

ROWS = 100
MICRO_BATCH_S = 0.004
"""How long a micro-batch takes at least, so that a fault can fall into any part of a step."""

WEIGHTS = "weights.pt"


class Points(Dataset[dict[str, torch.Tensor]]):
    """Points of a plane with noise, the same ones every time."""

    def __init__(self) -> None:
        luck = torch.Generator().manual_seed(7)
        self._x = torch.randn(ROWS, 16, generator=luck)
        self._y = self._x.sum(dim=1) + torch.randn(ROWS, generator=luck)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return {"x": self._x[number], "y": self._y[number]}


class Regression(nn.Module):
    """A linear regression with dropout, whose curve only a run with the right random numbers follows."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(16, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss of a batch."""
        time.sleep(MICRO_BATCH_S)
        guess = self.linear(self.dropout(x)).squeeze(-1)
        return {"loss": nn.functional.mse_loss(guess, y)}


class PointTrainer(CheckpointingTrainer):
    """Stands in the place of `CaptionTrainer`."""

    def __init__(
        self,
        *,
        model: nn.Module,
        args: SFTConfig,
        collator: object,
        lengths: object,
        cost: object,
        rehearses: bool,
        held_out: object,
        meter: StepMeter,
        plan: CheckpointPlan,
        report: RunReport,
        ledger: SkipLedger,
        adapter_dtype: torch.dtype,
        is_ending: Callable[[], bool],
        callbacks: Sequence[TrainerCallback],
    ) -> None:
        self._meter = meter
        super().__init__(
            plan=plan,
            report=report,
            is_ending=is_ending,
            model=model,
            args=args,
            train_dataset=Points(),
            callbacks=list(callbacks),
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], torch.Tensor | int | None]:
        """The micro-batches of one optimiser step."""
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        rows = [len(batch["x"]) for batch in batches]
        self._meter.batches([BatchContent((1,) * count, tiles=0, supervised=count) for count in rows])
        return batches, count


def table() -> TrainableTable:
    return TrainableTable((TrainableRow("other", 1, 17),), 17, ())


def lengths() -> Lengths:
    rows = RowLengths()
    for _ in range(ROWS):
        rows.add(tokens=1, tiles=1, supervised=1, cut=0, language=0)
    return Lengths(rows, Statistics.of("", "train", ["en"], rows))


def save(model: nn.Module, collator: object, folder: Path) -> None:
    torch.save(model.state_dict(), folder / WEIGHTS)


def make_small() -> None:
    """Replaces corpus and model in this process's pipeline."""
    small: dict[str, Any] = {
        "rows_to_train_on": lambda *_: range(ROWS),
        "rows_to_evaluate_on": lambda *_: None,
        "fingerprint": lambda rows: RowsFingerprint(len(rows), "points"),
        "fetch": lambda *_: SimpleNamespace(name="points", model=None),
        "identify": lambda *_: None,
        "read_architecture": lambda *_: None,
        "ModelFlop": lambda *_: SimpleNamespace(total=None),
        "build_collator": lambda *_: SimpleNamespace(corpus=range(ROWS)),
        "check_supervision": lambda _: None,
        "measure": lambda *_, **__: lengths(),
        "build_model": lambda *_: (Regression(), table()),
        "trainer_for": lambda config, family, collator, **arguments: PointTrainer(collator=collator, **arguments),
        "save": save,
        "caption_some": lambda *_: None,
    }
    for name, replacement in small.items():
        assert name in vars(pipeline), f"inft.pipeline has no {name}"
        setattr(pipeline, name, replacement)
