"""A base with adapters on it, as they were trained."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from transformers import PreTrainedModel

from inft.adapters.files import DESCRIPTION, WEIGHTS
from inft.config import Config
from inft.errors import ConfigError
from inft.models.attention import choose_attention
from inft.models.checkpoint import UNREADABLE, Checkpoint, Progress, unreadable
from inft.models.dequantized import cast_as_4_bit
from inft.models.family import Family
from inft.models.quantization import DTYPES, load_base
from inft.runs.bases import tensor_shapes


def load_with_adapters(
    config: Config,
    family: Family,
    checkpoint: Checkpoint,
    adapters: Path | None,
    *,
    device: torch.device,
    progress: Progress,
) -> PeftModel | PreTrainedModel:
    """The base with its adapters, or the model alone.

    Args:
        config: says in what precision.
        family: the architecture.
        checkpoint: the base, or a whole model.
        adapters: their folder; None = the model is whole.
        device: where it goes.
        progress: tensors loaded.

    Raises:
        ConfigError: something cannot be read.
    """
    on_gpu = device.type == "cuda"
    attention = choose_attention(config.basic.attn_impl, family, on_gpu=on_gpu, recompute=False)
    base = load_base(config, family, checkpoint, device=device, attention=attention, progress=progress)
    if adapters is None:
        return base
    try:
        model = PeftModel.from_pretrained(base, str(adapters))
    except UNREADABLE as error:
        raise unreadable(adapters, error) from error
    _check_all_loaded(model, adapters)
    cast_as_4_bit(model)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.to(DTYPES[config.lora.adapter_dtype])
    return model


def _check_all_loaded(model: PeftModel, folder: Path) -> None:
    """PEFT leaves adapters that it finds no values for as they begin, and only warns."""
    missing = get_peft_model_state_dict(model).keys() - tensor_shapes(folder / WEIGHTS).keys()
    if missing:
        raise ConfigError(
            f"{folder / WEIGHTS} lacks {len(missing)} of the tensors that {DESCRIPTION} promises, "
            f"{min(missing)} for one.",
            "Copy the adapters again.",
        )
