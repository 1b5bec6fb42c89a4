"""LoRA adapters: where they go, and who is trainable afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedConfig, PreTrainedModel

from inft.config import Config
from inft.models.dequantized import cast_as_4_bit
from inft.models.family import Family
from inft.models.quantization import DTYPES, OUTPUT_HEAD
from inft.models.targets import GROUPS, Targets, find_targets


def list_linear_modules(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Every linear layer (16-bit or quantised) that could take an adapter: its path -> (inputs, outputs)."""
    return {
        name: (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] != OUTPUT_HEAD
    }


def add_adapters(model: PreTrainedModel, config: Config, family: Family) -> tuple[PeftModel, Targets]:
    """The model with its base frozen and fresh LoRA adapters on the configured layers.

    The guide calls `prepare_model_for_kbit_training` here. What that is for is done without its cast of everything
    that is not 4-bit to fp32 (2.1 GB, and a slow output head): the base is frozen below; the norms compute in fp32
    by themselves; and with non-reentrant checkpointing no input has to require gradients.

    Raises:
        ConfigError: no target is in the model.
    """
    lora = config.lora
    targets = find_targets(list_linear_modules(model), config.target_modules, lora.scope, family.layout)
    model.requires_grad_(False)
    peft_model = get_peft_model(
        model,
        LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            bias=lora.bias,
            target_modules=list(targets.modules),
            task_type="CAUSAL_LM",
        ),
    )
    cast_as_4_bit(peft_model)
    set_adapter_dtype(peft_model, DTYPES[lora.adapter_dtype])
    return peft_model, targets


def set_adapter_dtype(model: nn.Module, dtype: torch.dtype) -> None:
    """Hold the adapters in `dtype`.

    Biases that train along (`lora.bias`) belong to layers of the base and stay in its dtype: a normalisation refuses
    a bias of another one, and bitsandbytes casts those of 4-bit layers back.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and ".lora_" in name:
            parameter.data = parameter.data.to(dtype)


@dataclass(frozen=True)
class TrainableRow:
    """One part of the model in the table of what is trained."""

    group: str
    modules: int
    """Adapted layers."""
    trainable: int
    """Parameters that are trained."""


@dataclass(frozen=True)
class TrainableTable:
    """What is trained, by part of the model."""

    rows: tuple[TrainableRow, ...]
    total_parameters: int
    """Parameters of base and adapters, each 4-bit one counted as one."""
    unmatched: tuple[str, ...]

    @property
    def trainable(self) -> int:
        """Parameters that are trained, all parts together."""
        return sum(row.trainable for row in self.rows)

    def text(self) -> str:
        """A line for each part of the model, one for all of it, and one for names that match nothing."""
        share = 100 * self.trainable / self.total_parameters
        layers = sum(row.modules for row in self.rows)
        lines = [f"{row.group:10}{row.trainable:>14,} trainable in {row.modules:>3} layers" for row in self.rows]
        lines.append(f"{'all':10}{self.trainable:>14,} trainable in {layers:>3} layers, {share:.2f} % of the model")
        if self.unmatched:
            lines.append(f"target names that are not in this model: {', '.join(self.unmatched)}")
        return "\n".join(lines)


def trainable_table(model: PeftModel, targets: Targets, family: Family) -> TrainableTable:
    """Counts what is trained in each part of the model."""
    counts = dict.fromkeys(GROUPS, 0)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            counts[family.group(name)] += parameter.numel()
    layers = dict.fromkeys(GROUPS, 0)
    for path in targets.modules:
        layers[family.group(path)] += 1
    rows = tuple(
        TrainableRow(group, layers[group], counts[group]) for group in GROUPS if layers[group] or counts[group]
    )
    _, total = model.get_nb_trainable_parameters()
    return TrainableTable(rows, total, targets.unmatched)


def skeleton(architecture: PreTrainedConfig) -> PreTrainedModel:
    """The model of a configuration without weights, whatever its size, in milliseconds and no memory."""
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(architecture, dtype=torch.bfloat16)
