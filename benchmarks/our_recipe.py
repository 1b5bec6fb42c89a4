"""A profile's recipe as a run trains it: our adapters, our trainer and everything in its steps."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback

from benchmarks.random_base import RandomBase
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.skips import SkipLedger
from inft.forecast.row_lengths import RowLengths
from inft.models.adapters import add_adapters
from inft.models.layers import set_up_layers
from inft.models.quantization import DTYPES
from inft.runs.directory import RunDirectory
from inft.training.arguments import training_arguments
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.padding_free import trainer_for
from inft.training.report import RunReport
from inft.training.resumed import CheckpointPlan
from inft.training.trainer import CaptionTrainer


def our_adapters(base: RandomBase, model: PreTrainedModel, config: Config) -> PeftModel:
    """A base with fresh adapters, as `inft.pipeline.build_model` makes them of a checkpoint.

    Args:
        base: what made the model.
        model: without adapters.
        config: every parameter.
    """
    torch.manual_seed(config.basic.seed)
    adapted, _ = add_adapters(model, config, base.family)
    set_up_layers(adapted, config, base.family, lambda done, total: None, print)
    return adapted


@contextlib.contextmanager
def our_trainer(
    base: RandomBase,
    model: PeftModel,
    config: Config,
    collator: CaptionCollator,
    lengths: RowLengths,
    *,
    meter: StepMeter,
    callbacks: Sequence[TrainerCallback],
) -> Iterator[CaptionTrainer]:
    """The trainer that a run of `config` would have, on its collator's rows in the order of their numbers.

    Args:
        base: what the model was made of.
        model: of `our_adapters`.
        config: every parameter; no checkpoint is written whatever it says.
        collator: of the rows.
        lengths: of the rows.
        meter: is told what every step consists of.
        callbacks: of the trainer.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(RunReport(_run(Path(folder)))) as report:
        arguments = training_arguments(config, Path(folder), on_gpu=base.device.type == "cuda")
        arguments.save_strategy = "no"
        trainer = trainer_for(
            config,
            base.family,
            collator,
            model=model,
            args=arguments,
            lengths=lengths,
            cost=cost_by_size,
            held_out=None,
            meter=meter,
            plan=CheckpointPlan(Path(folder), ("benchmark",), 1, {}),
            report=report,
            ledger=SkipLedger(),
            is_ending=lambda: False,
            adapter_dtype=DTYPES[config.lora.adapter_dtype],
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)
        # As a resumed run keeps its order: all rows belong to a first step that is known.
        trainer.go_on_from(trainer.figures() | {"first_step": list(range(len(collator.corpus)))})
        yield trainer


def _run(folder: Path) -> RunDirectory:
    path = folder / "run"
    path.mkdir()
    return RunDirectory(path)
