"""Adapters that stand for trained ones, and what PEFT itself makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoConfig, PreTrainedModel

from inft.config import Config
from inft.merging.lora import Adapters, read_adapters
from inft.merging.shards import find_shards
from inft.merging.weights import Plan, plan_merge, write_merged
from inft.models.adapters import add_adapters, skeleton
from inft.params import FamilyName, Mode
from tests.models.bases import FULL_PRECISION, demo, load

SMALL = ("lora.r=4", "lora.alpha=8", *FULL_PRECISION)

SIZE = 0.02
"""Of the numbers of B, which training would have made: large enough to be seen in every logit."""


def adapted(base: Path, family: FamilyName, mode: Mode = "advanced", *overrides: str) -> tuple[PeftModel, Config]:
    """The fp32 base with adapters that change it, and biases too where they are trained."""
    config, described = demo(family, *SMALL, *overrides)
    config = replace(config, mode=mode)
    model, _ = add_adapters(load(base, family, *SMALL, *overrides), config, described)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and not name.endswith("lora_A.default.weight"):
                parameter += SIZE * torch.randn(parameter.shape, generator=generator)
    return model.eval(), config


def saved(model: PeftModel, folder: Path) -> Path:
    """Their folder, written as a run writes it."""
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


def planned(base: Path, adapters: Path) -> tuple[Plan, Adapters]:
    """What merging would do."""
    read = read_adapters(adapters)
    return plan_merge(find_shards(base), read, skeleton(AutoConfig.from_pretrained(base))), read


def merged(base: Path, adapters: Path, folder: Path) -> Path:
    """The merged weights in `folder`."""
    folder.mkdir()
    write_merged(*planned(base, adapters), folder, lambda done, total: None)
    return folder


def by_peft(model: PeftModel) -> PreTrainedModel:
    """The same by PEFT's own merge, in fp32."""
    plain: PreTrainedModel = model.merge_and_unload()
    return plain
