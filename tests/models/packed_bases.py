"""Tiny models with adapters that speak, and rows of different lengths and pictures for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import cross_entropy

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodedRow
from inft.data.images import open_image
from inft.data.packing import PackedRows, PackingCollator
from inft.data.rows import Row
from inft.models.adapters import add_adapters
from inft.models.layers import set_up_layers
from inft.models.packed_loss import LossSums, loss_sums
from inft.params import FamilyName
from tests.models.bases import demo, load, picture
from tests.processors import collator, demo_rows

SHAPES = ((300, 40), (30, 30), (55, 97))
"""On Llama of 4, 1 and 2 tiles of its four."""


def rows() -> list[Row]:
    """Rows of several languages and lengths."""
    chosen = []
    for number, (width, height) in enumerate(SHAPES):
        row = demo_rows("train")[number * 40]
        buffer = io.BytesIO()
        picture(width, height).save(buffer, "PNG")
        chosen.append(
            replace(row, content=row.content[: 150 * number], image=replace(row.image, source=buffer.getvalue()))
        )
    return chosen


def encoded(family: FamilyName) -> tuple[CaptionCollator, list[EncodedRow]]:
    """`rows` as the model sees them, and what made them."""
    maker = collator(family, rows())
    return maker, [maker.encoder.encode(row, open_image(row.image)) for row in maker.corpus]


def pack(maker: CaptionCollator, chosen: Sequence[EncodedRow], dtype: torch.dtype = torch.float32) -> PackedRows:
    """`chosen` end to end."""
    return PackingCollator(maker, dtype).pack(chosen)


def adapted(folder: Path, family: FamilyName, *overrides: str) -> PeftModel:
    """The model, whose adapters change what it says; Llama's pictures change it, too."""
    config, described = demo(family, *overrides)
    torch.manual_seed(5)
    model, _ = add_adapters(load(folder, family, *overrides), config, described)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.02)
            elif "gate" in name.rpartition(".")[2] and parameter.numel() == 1:
                parameter.fill_(0.5)  # fresh ones are closed
    return model.train()


def set_up(model: PeftModel, family: FamilyName, *overrides: str) -> list[tuple[int, int]]:
    """Sets the layers up as a padding-free run does; returns what it will have said about layers being compiled."""
    config, described = demo(family, "sft.padding_free=true", *overrides)
    told: list[tuple[int, int]] = []
    set_up_layers(model, config, described, lambda done, total: told.append((done, total)), pytest.fail)
    return told


def padded_hidden(model: PeftModel, batch: dict[str, Tensor]) -> Tensor:
    """The last hidden states, (B, T, hidden), as transformers computes them."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hidden: Tensor = model.get_base_model().model(**inputs, use_cache=False).last_hidden_state
    return hidden


def padded_loss(model: PeftModel, batch: dict[str, Tensor]) -> Tensor:
    """The sum over supervised tokens."""
    targets = batch["labels"][:, 1:]
    supervised = targets != IGNORE_INDEX
    hidden = padded_hidden(model, batch)[:, :-1][supervised]
    logits = model.get_base_model().get_output_embeddings()(hidden)
    return cross_entropy(logits.float(), targets[supervised], reduction="sum")


def packed_hidden(model: PeftModel, family: FamilyName, batch: PackedRows) -> Tensor:
    """The last hidden states, (T, hidden), by our own pass."""
    _, described = demo(family)
    return described.packed_hidden_states(model.get_base_model(), batch)


def packed_sums(model: PeftModel, family: FamilyName, batch: PackedRows) -> LossSums:
    """The sums over supervised tokens, by our own pass."""
    hidden = packed_hidden(model, family, batch)
    head = model.get_base_model().get_output_embeddings()
    return loss_sums(head, hidden, batch.tensors["places"], batch.tensors["targets"])


def gradients(
    model: PeftModel, loss: Callable[[], Tensor], *, autocast: bool = False
) -> tuple[float, dict[str, Tensor]]:
    """A loss and its gradients of everything that is trained."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(11)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        value = loss()
    value.backward()
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            found[name] = parameter.grad.clone()
    return value.item(), found


def distance(found: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """Of all gradients together, relative."""
    apart = sum(float((found[name] - right[name]).square().sum()) for name in right)
    return (apart / sum(float(gradient.square().sum()) for gradient in right.values())) ** 0.5
