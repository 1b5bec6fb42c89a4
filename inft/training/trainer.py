"""TRL's `SFTTrainer` on row numbers, with our collator, our meter and a loss that must stay finite."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from inft.data.collators import SKIPPED_KEY, CaptionCollator, SkippedRow
from inft.data.encoding import IGNORE_INDEX
from inft.data.skips import SkipLedger
from inft.data.workers import shield_workers
from inft.errors import DivergedError
from inft.forecast.flops import BatchContent
from inft.forecast.row_lengths import RowLengths
from inft.models.adapters import set_adapter_dtype
from inft.runs.events import alert
from inft.training.checkpointing import CheckpointingTrainer, EvaluationCut
from inft.training.evaluation import EvaluatingTrainer, HeldOut, row_numbers
from inft.training.meter import StepMeter
from inft.training.order import Cost, HeaviestFirst
from inft.training.randomness import own_randomness
from inft.training.report import RunReport
from inft.training.resumed import CheckpointPlan


class CaptionTrainer(CheckpointingTrainer, EvaluatingTrainer):
    """Trains the adapters of a model on the rows of a collator's corpus.

    Args:
        model: base with adapters.
        args: see `inft.training.arguments`.
        collator: turns row numbers into batches.
        lengths: of the rows so numbered; the heaviest are trained on first.
        held_out: what is evaluated on, if anything.
        meter: is told what every step consists of.
        plan: where checkpoints go and which of them stay.
        report: is told of what is under way.
        ledger: counts rows that could not be used, and stops the run when there are too many.
        is_ending: whether somebody wants the run to end.
        adapter_dtype: what the adapters are held in.
        callbacks: as the Trainer's.
        cost: how heavy a micro-batch is.
        rehearses: whether to try out the heaviest micro-batch first, as a resumed run has to, whose first step is any.
        batching: turns numbered rows into the batches trained on; None = `collator` does.
    """

    _total_train_tokens: int  # TRL's own count

    def __init__(
        self,
        *,
        model: PeftModel,
        args: SFTConfig,
        collator: CaptionCollator,
        lengths: RowLengths,
        held_out: HeldOut | None,
        meter: StepMeter,
        plan: CheckpointPlan,
        report: RunReport,
        ledger: SkipLedger,
        is_ending: Callable[[], bool],
        adapter_dtype: torch.dtype,
        callbacks: Sequence[TrainerCallback],
        cost: Cost,
        rehearses: bool = False,
        batching: Callable[[Sequence[Mapping[str, int]]], Any] | None = None,
    ) -> None:
        self._rehearses = rehearses
        self._lengths = lengths
        self._first_step: list[int] | None = None
        self._cost = cost
        self._train_collator = collator
        self._batching = batching or collator
        self._meter = meter
        self._ledger = ledger
        self._skipped: dict[str, SkippedRow] = {}
        self._left_out: set[str] = set()
        self._coming: deque[BatchContent] = deque()
        self._rows_seen = 0
        self._rows_to_see = len(collator.corpus) + (0 if held_out is None else len(held_out.collator.corpus))
        super().__init__(
            plan=plan,
            report=report,
            is_ending=is_ending,
            model=model,
            args=args,
            train_dataset=row_numbers(len(collator.corpus)),
            held_out=held_out,
            processing_class=collator.encoder.processor,
            data_collator=self._batching,
            callbacks=list(callbacks),
        )
        adapted: PeftModel = self.model
        # TRL casts adapters of a quantised base to bf16, whose 8 bits of mantissa lose most of an update at 1e-4.
        set_adapter_dtype(adapted, adapter_dtype)
        # PEFT would load a checkpoint's adapters as fp32, whatever they are held in.
        adapted.load_adapter = partial(adapted.load_adapter, autocast_adapter_dtype=False)
        # PEFT would ask the hub at every save whether the base's vocabulary was resized; ours never is.
        adapted.save_pretrained = partial(adapted.save_pretrained, save_embedding_layers=False)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """The micro-batches of one optimiser step and how many supervised tokens they hold together."""
        self._meter.begin("data")
        batches, supervised = super().get_batch_samples(epoch_iterator, num_batches, device)
        for batch in batches:
            self._account(batch)
        self._expect([self._content(batch) for batch in batches])
        return batches, supervised

    def _expect(self, contents: Sequence[BatchContent]) -> None:
        """These micro-batches make up the optimiser step that comes now."""
        self._meter.batches(contents)
        self._coming = deque(contents)

    def _content(self, batch: Any) -> BatchContent:
        """What a micro-batch holds; asks its device once."""
        lengths = batch["attention_mask"].sum(1)
        supervised = (batch["labels"] != IGNORE_INDEX).sum()
        tiles = self._train_collator.batch_tiles(batch)
        *tokens, answers, pieces = torch.cat([lengths, supervised[None], tiles[None]]).tolist()
        return BatchContent(lengths=tuple(tokens), tiles=pieces, supervised=answers)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One micro-batch forward and backward.

        Raises:
            DivergedError: the loss is NaN or infinite; no optimiser step has used it.
        """
        if self._rehearses:
            self._rehearses = False
            self._meter.begin("rest")
            self._rehearse()
        self._meter.begin("forward")
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        return loss

    def backward_is_under_way(self) -> None:
        """What comes now is the optimiser's."""
        self._meter.begin("optimizer")

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """The forward pass."""
        result = super().compute_loss(*args, **kwargs)
        self._meter.begin("backward", after="forward")  # of an evaluation or a rehearsal, nothing is measured
        return result

    def floating_point_ops(self, inputs: Any) -> int:
        """Operations of the model for the micro-batch that was just trained on."""
        return round(self._meter.flop(self._coming.popleft()))

    def check_loss(self, loss: float) -> None:
        """Refuses what is no number.

        Raises:
            DivergedError: the loss is NaN or infinite.
        """
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss of optimiser step {self.state.global_step + 1} is {loss}.",
                "Lower sft.lr, lengthen the warm-up, or look at the rows of that step; the last checkpoint is intact.",
            )

    def _rehearse(self) -> None:
        """The heaviest micro-batch forward and backward; no gradient, figure or random number of it stays."""
        rows = self._get_train_sampler().heaviest
        metrics, tokens = deepcopy(self._metrics["train"]), self._total_train_tokens
        with own_randomness():
            # Past our own bookkeeping, which would count it.
            SFTTrainer.training_step(self, self.model_wrapped, self._batch_of(rows))
        self.model_wrapped.zero_grad(set_to_none=True)
        self._metrics["train"], self._total_train_tokens = metrics, tokens

    def _batch_of(self, rows: Sequence[int]) -> Any:
        """A micro-batch of these rows and nothing else."""
        batch: dict[str, Any] = self._batching([{"row": row} for row in rows])
        batch.pop(SKIPPED_KEY, None)
        return batch

    def figures(self) -> dict[str, Any]:
        """What TRL's metrics and the ledger have counted so far."""
        return {
            "tokens": self._total_train_tokens,
            "metrics": dict(self._metrics["train"]),
            "rows_seen": self._rows_seen,
            "first_step": self._first_step,
            "skipped": [[row.cause, row.language, row.place, row.reason] for row in self._skipped.values()],
        }

    def go_on_from(self, figures: Mapping[str, Any]) -> None:
        """Counts on from there."""
        self._total_train_tokens = figures["tokens"]
        self._metrics["train"].update(figures["metrics"])
        self._see(figures["rows_seen"])
        self._first_step = figures.get("first_step")
        if self._first_step is None:  # of a version that shuffled all rows
            self._report.event(
                alert(
                    level="warning",
                    kind="rows",
                    message="The checkpoint does not say how its run ordered the rows, so they come in another order.",
                    fix="To follow the same curve, resume with the version of inft that wrote it.",
                )
            )
        for cause, language, place, reason in figures["skipped"]:
            self._skip(SkippedRow(cause, language, place, reason))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Passes figures on; TRL's means, too, go on over an additional line."""
        metrics = dict(self._metrics["train"])
        super().log(logs, start_time)
        if "loss" in logs and not self.logs_regularly():
            self._metrics["train"].update(metrics)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Writes none: PEFT puts one into every folder of adapters, and TRL's belongs to no folder of ours."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        began = time.perf_counter()
        super()._save_checkpoint(model, trial)
        self._meter.pause(time.perf_counter() - began)

    def _get_train_sampler(self, train_dataset: Any = None) -> HeaviestFirst:
        seed: int | None = self.args.data_seed
        assert seed is not None  # `training_arguments` states it
        sampler = HeaviestFirst(
            self._lengths,
            seed=seed,
            micro_batch=self.args.per_device_train_batch_size,
            accumulation=self.args.gradient_accumulation_steps,
            cost=self._cost,
            first=self._first_step,
        )
        self._first_step = sampler.first
        return sampler

    def get_train_dataloader(self) -> Any:
        """The batches to train on."""
        loader: Any = super().get_train_dataloader()
        shield_workers(loader.base_dataloader)  # accelerate only wraps the one that starts them
        return loader

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """One evaluation, outside of all steps; of one that was broken off, nothing is left in later figures."""
        began = time.perf_counter()
        try:
            return super().evaluate(*args, **kwargs)
        except EvaluationCut:
            self._metrics["eval"].clear()
            raise
        finally:
            self._meter.pause(time.perf_counter() - began)

    def count_rows(self, rows: int, skipped: Sequence[SkippedRow]) -> None:
        """Counts an evaluation batch's rows."""
        self._count(rows, skipped)

    def leave_out(self, languages: Sequence[str]) -> None:
        """Says so, once for each language."""
        new = [language for language in languages if language not in self._left_out]
        if new:
            self._left_out.update(new)
            self.warn(
                "rows",
                f"None of the rows to evaluate on in {', '.join(new)} can be used any more.",
                "The evaluation's loss is that of the other languages.",
            )

    def _account(self, batch: dict[str, Any]) -> None:
        """Takes the skipped rows out of a batch and counts them."""
        skipped: list[SkippedRow] = batch.pop(SKIPPED_KEY, [])
        self._count(len(batch["input_ids"]), skipped)

    def _count(self, rows: int, skipped: Sequence[SkippedRow]) -> None:
        """Counts a batch's rows, and the skipped ones each once however often it comes round."""
        self._see(min(rows + len(skipped), self._rows_to_see))
        new = [row for row in skipped if row.place not in self._skipped]
        for row in new:
            self._skip(row)
        if new:
            self._ledger.check()

    def _see(self, rows: int) -> None:
        self._ledger.seen(rows)
        self._rows_seen += rows
        self._rows_to_see -= rows

    def _skip(self, row: SkippedRow) -> None:
        self._skipped[row.place] = row
        self._ledger.record(row.cause, row.language, row.place)
