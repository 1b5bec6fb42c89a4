"""Loads the model that a person means, once it is known that its parts belong together."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model_state_dict

from inft.captioning.captioner import CaptionModel
from inft.captioning.chosen import ADAPTER_WEIGHTS, ChosenModel
from inft.errors import ConfigError
from inft.models.adapters import list_linear_modules, skeleton
from inft.models.attention import choose_attention
from inft.models.checkpoint import UNREADABLE, Checkpoint, Progress, architecture, unreadable
from inft.models.dequantized import cast_as_4_bit
from inft.models.family import Family
from inft.models.quantization import DTYPES, load_base
from inft.runs.bases import BaseIdentity, tensor_shapes, trained_on_another

PREFIX = "base_model.model."
"""PEFT's, before the path of a module in the base."""


def check_base(chosen: ChosenModel, base: BaseIdentity) -> None:
    """Refuses adapters on another base than the one that they were trained on.

    Raises:
        ConfigError: they say which it was, and it is another one.
    """
    if chosen.adapters is None:
        return
    other = trained_on_another(base, chosen.trained_on, _lora_config(chosen.adapters).base_model_name_or_path or "")
    if other is not None:
        at_hand = base.name if chosen.trained_on is None else base.text
        raise ConfigError(
            f"The adapters in {chosen.adapters} were trained on {other}, and the base here is {at_hand}.",
            "Name that base: basic.model_source, basic.model_path or basic.revision, by --set or in the profile.",
        )


def check_adapters(chosen: ChosenModel, family: Family) -> None:
    """Refuses adapters that are not for a model like the base; no weights are read.

    Raises:
        ConfigError: they adapt what the base does not have, or has in another size, or their files disagree.
    """
    if chosen.adapters is None:
        return
    rank = _lora_config(chosen.adapters).r
    base = skeleton(architecture(chosen.config, family, chosen.root))
    layers = list_linear_modules(base)
    others = {name: tuple(parameter.shape) for name, parameter in base.named_parameters()}
    for key, shape in tensor_shapes(chosen.adapters / ADAPTER_WEIGHTS).items():
        path, _, kind = key.removeprefix(PREFIX).partition(".lora_")
        due = layers.get(path)
        if not kind:
            fits = others.get(path) == shape
        elif due is None:
            fits = False
        else:
            fits = shape == ((rank, due[0]) if kind.startswith("A") else (due[1], rank))
        if not fits:
            known = due is not None or path in others
            reason = f"their {path} is of another size or rank" if known else f"it has no {path}"
            raise ConfigError(
                f"The adapters in {chosen.adapters} are not for the {family.title} in "
                f"{chosen.config.basic.model_path or chosen.config.basic.model_source}: {reason}.",
                "Name the profile of the family and the base that they were trained on (--profile).",
            )


def load_model(
    chosen: ChosenModel, family: Family, checkpoint: Checkpoint, *, device: torch.device, progress: Progress
) -> CaptionModel:
    """The base with its adapters, as they were trained, or the whole model.

    Raises:
        ConfigError: something cannot be read.
    """
    config = chosen.config
    on_gpu = device.type == "cuda"
    attention = choose_attention(config.basic.attn_impl, family, on_gpu=on_gpu, recompute=False)
    base = load_base(config, family, checkpoint, device=device, attention=attention, progress=progress)
    if chosen.adapters is None:
        return base
    try:
        model = PeftModel.from_pretrained(base, str(chosen.adapters))
    except UNREADABLE as error:
        raise unreadable(chosen.adapters, error) from error
    _check_all_loaded(model, chosen.adapters)
    cast_as_4_bit(model)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.to(DTYPES[config.lora.adapter_dtype])
    return model


def _lora_config(folder: Path) -> LoraConfig:
    """What lies beside adapters of one rank.

    Raises:
        ConfigError: it cannot be read, or they are of another kind.
    """
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except UNREADABLE as error:
        raise unreadable(folder, error) from error
    if not isinstance(config, LoraConfig) or config.rank_pattern:
        raise ConfigError(
            f"The adapters in {folder} are no LoRA adapters of one rank.", "Name adapters that a run of ours has made."
        )
    return config


def _check_all_loaded(model: PeftModel, folder: Path) -> None:
    """PEFT leaves adapters that it finds no values for as they begin, and only warns."""
    missing = get_peft_model_state_dict(model).keys() - tensor_shapes(folder / ADAPTER_WEIGHTS).keys()
    if missing:
        raise ConfigError(
            f"{folder / ADAPTER_WEIGHTS} lacks {len(missing)} of the tensors that adapter_config.json promises, "
            f"{min(missing)} for one.",
            "Copy the adapters again.",
        )
