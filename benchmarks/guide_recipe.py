"""The guide's recipe on rows encoded already: TRL's `SFTTrainer`, with nothing of ours in its steps."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import datasets
import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodedRow

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

ATTENTION = {"aya": "eager", "llama32": "sdpa"}
"""The guide's is eager; with today's libraries Llama's vision tower does not fit 140 GB that way."""


def guide_adapters(base: PreTrainedModel) -> PeftModel:
    """The base as the guide prepares it: what is not 4-bit cast to fp32, LoRA by suffix, also in the vision tower."""
    prepared = prepare_model_for_kbit_training(base)
    return get_peft_model(
        prepared,
        LoraConfig(
            r=64,
            lora_alpha=32,
            lora_dropout=0.1,
            bias="none",
            target_modules=list(TARGETS),
            task_type="CAUSAL_LM",
        ),
    )


class InOrder(SFTTrainer):
    """TRL's trainer on rows in the order in which they are; it would shuffle them."""

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)


def train_as_guide(
    model: PeftModel,
    collator: CaptionCollator,
    rows: Sequence[EncodedRow],
    callbacks: Sequence[TrainerCallback],
    *,
    accumulation: int,
    on_gpu: bool,
) -> list[float]:
    """Trains once over `rows`, one at a time; the loss of each optimiser step.

    Args:
        model: of `guide_adapters`.
        collator: pads, which a single row needs none of, and knows the tokenizer.
        rows: in the order in which they are trained on.
        callbacks: of the trainer.
        accumulation: rows per optimiser step.
        on_gpu: whether the model is on a GPU.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = InOrder(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=1,
                gradient_accumulation_steps=accumulation,
                optim="adamw_torch_fused" if on_gpu else "adamw_torch",
                learning_rate=1.5e-4,
                lr_scheduler_type="cosine",
                weight_decay=1e-6,
                max_grad_norm=0.3,
                bf16=True,
                use_cpu=not on_gpu,
                gradient_checkpointing=True,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                remove_unused_columns=False,
                packing=False,
                max_length=4096,
                dataset_kwargs={"skip_prepare_dataset": True},
                seed=42,
                disable_tqdm=True,
            ),
            train_dataset=datasets.Dataset.from_dict({"row": list(range(len(rows)))}),
            processing_class=collator.encoder.tokenizer,
            data_collator=lambda batch: collator.pad([rows[example["row"]] for example in batch], "right"),
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return [line["loss"] for line in trainer.state.log_history if "loss" in line]
