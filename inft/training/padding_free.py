"""The trainer on rows that lie end to end: no padding, and nothing between two optimiser steps waits for the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.packing import PackedRows, PackingCollator
from inft.forecast.flops import BatchContent
from inft.models.family import Family, HiddenStates
from inft.models.packed_loss import loss_sums
from inft.models.quantization import DTYPES
from inft.training.trainer import CaptionTrainer


class PaddingFreeTrainer(CaptionTrainer):
    """Trains on `PackedRows`; evaluations run as in any other run.

    Args:
        batching: makes the micro-batches.
        hidden_states: the family's forward pass for them.
        arguments: as `CaptionTrainer`.
    """

    def __init__(self, *, batching: PackingCollator, hidden_states: HiddenStates, **arguments: Any) -> None:
        self._hidden_states = hidden_states
        super().__init__(batching=batching, **arguments)

    def get_train_dataloader(self) -> Any:
        """The micro-batches; they stay in the host's memory until it is their turn."""
        self.accelerator.device_placement = False
        try:
            return super().get_train_dataloader()
        finally:
            self.accelerator.device_placement = True

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """How many supervised tokens micro-batches hold together."""
        if all(isinstance(batch, PackedRows) for batch in batch_samples):
            return sum(batch.supervised for batch in batch_samples)
        return super()._get_num_items_in_batch(batch_samples, device)

    def _account(self, batch: Any) -> None:
        if isinstance(batch, PackedRows):
            self._count(len(batch.lengths), batch.skipped)
        else:
            super()._account(batch)

    def _content(self, batch: PackedRows) -> BatchContent:
        return BatchContent(lengths=batch.lengths, tiles=sum(batch.tiles), supervised=batch.supervised)

    def _batch_of(self, rows: Sequence[int]) -> Any:
        return self._batching([{"row": row} for row in rows])

    def _prepare_inputs(self, inputs: Any) -> Any:
        return inputs.to(self.args.device) if isinstance(inputs, PackedRows) else super()._prepare_inputs(inputs)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The forward pass of a micro-batch, or of an evaluation's padded one."""
        if not isinstance(inputs, PackedRows):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        base = self.accelerator.unwrap_model(model).get_base_model()
        with self.accelerator.autocast():
            hidden = self._hidden_states(base, inputs)
            sums = loss_sums(base.get_output_embeddings(), hidden, inputs.tensors["places"], inputs.tensors["targets"])
        self._meter.begin("backward", after="forward")
        self._total_train_tokens += sum(inputs.lengths)
        metrics = self._metrics["train"]
        tokens = max(1, inputs.supervised)
        metrics["entropy"].append(sums.entropy / tokens)
        metrics["mean_token_accuracy"].append(sums.correct / tokens)
        metrics["num_tokens"] = [self._total_train_tokens]
        return sums.loss / (num_items_in_batch or tokens)

    def figures(self) -> dict[str, Any]:
        """What has been counted so far."""
        self._fetch_metrics()
        return super().figures()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Passes figures on."""
        self._fetch_metrics()
        super().log(logs, start_time)

    def _fetch_metrics(self) -> None:
        """Turns into numbers what is still on the GPU."""
        for values in self._metrics["train"].values():
            if any(isinstance(value, torch.Tensor) for value in values):
                values[:] = torch.stack([torch.as_tensor(value, device=self.args.device) for value in values]).tolist()


def trainer_for(config: Config, family: Family, collator: CaptionCollator, **arguments: Any) -> CaptionTrainer:
    """The trainer that a configuration asks for.

    Args:
        config: `sft.padding_free` decides.
        family: the architecture.
        collator: of the rows trained on.
        arguments: as `CaptionTrainer`.
    """
    if not config.sft.padding_free:
        return CaptionTrainer(collator=collator, **arguments)
    batching = PackingCollator(collator, DTYPES[config.compute_dtype])
    return PaddingFreeTrainer(
        collator=collator, batching=batching, hidden_states=family.packed_hidden_states, **arguments
    )
