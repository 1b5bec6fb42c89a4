"""Our sums beside torch's own counter, which counts every matrix product of a real model as it is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForImageTextToText

from inft.config import Config
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.flops import BatchContent, ModelFlop, Operations
from inft.models.adapters import add_adapters
from inft.models.registry import FAMILIES
from inft.models.released import RELEASED
from inft.models.tiny_description import tiny_description
from inft.params import FamilyName
from inft.profiles import resolve

TILE_PIXELS = 280
"""400 patches: transformers pads the 401 tokens of a tile on Llama to 408, which no mathematics asks for."""
ROWS, TILES, TOKENS = 1, 4, 430
OFF = 0.02
"""Llama's padding, and the turning of queries and keys by their places, which is a small matrix product on both."""

DEMOS: dict[FamilyName, str] = {"llama32": "demo_llama", "aya": "demo_aya"}


def configuration(family: FamilyName, *settings: str) -> tuple[Config, Architecture, dict[str, Any]]:
    description = tiny_description(family, TILE_PIXELS)
    config = resolve(DEMOS[family], ["lora.r=16", "lora.dropout=0.0", *settings]).config
    return config, architecture_of(family, description), description


def inputs(architecture: Architecture, description: dict[str, Any]) -> dict[str, Tensor]:
    """A row with a picture of four tiles."""
    ids = torch.randint(100, 900, (ROWS, TOKENS))
    channels = (3, TILE_PIXELS, TILE_PIXELS)
    if architecture.family == "aya":
        ids[:, : TILES * 100] = description["image_token_index"]
        return {"input_ids": ids, "pixel_values": torch.randn(ROWS * TILES, *channels)}
    return {
        "input_ids": ids,
        "pixel_values": torch.randn(ROWS, 1, TILES, *channels),
        "aspect_ratio_ids": torch.full((ROWS, 1), 6),
        "aspect_ratio_mask": torch.ones(ROWS, 1, TILES, dtype=torch.long),
        "cross_attention_mask": torch.ones(ROWS, TOKENS, 1, TILES, dtype=torch.long),
    }


def counted(model: nn.Module, batch: dict[str, Tensor]) -> tuple[int, int]:
    """Operations of the forward and of the backward pass, as torch counts them."""
    with FlopCounterMode(display=False) as forward:
        loss = model(**batch, use_cache=False).logits.square().mean()
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    return forward.get_total_flops(), backward.get_total_flops()


def as_computed(operations: Operations) -> float:
    """With the half of the text's attention that the mask hides, as these kernels compute it."""
    return replace(operations, text_attention=operations.text_attention * 2 * TOKENS / (TOKENS + 1)).total


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama32", ["lora.scope=guide"]),
        ("llama32", ["lora.scope=language"]),
        ("llama32", ["lora.scope=language", "lora.bias=all"]),
        ("aya", ["lora.scope=guide"]),
        ("aya", ["lora.scope=language"]),
        ("aya", ["lora.scope=language", "mode=advanced"]),
    ],
)
def test_the_sums_are_what_torch_counts(family: FamilyName, settings: list[str]) -> None:
    config, architecture, description = configuration(family, *settings)
    torch.manual_seed(3)
    description["text_config"]["pad_token_id"] = 0  # transformers' own lies outside of so small an embedding
    described = AutoConfig.for_model(**description)
    base = AutoModelForImageTextToText.from_config(described, attn_implementation="eager")
    model, _ = add_adapters(base, config, FAMILIES[family])
    forward, backward = counted(model, inputs(architecture, description))

    content = BatchContent((TOKENS,) * ROWS, tiles=ROWS * TILES, supervised=ROWS * TOKENS)
    flop = ModelFlop(config, architecture)
    assert as_computed(flop.forward(content)) == pytest.approx(forward, rel=OFF)
    assert as_computed(flop.backward(content)) == pytest.approx(backward, rel=OFF)


def test_a_released_model_takes_what_its_parameters_say() -> None:
    """`2 N` a token forwards and as much backwards, and the adapters' `6 r (inputs + outputs)` beside that."""
    config = resolve("aya_basic", ["lora.scope=language"]).config
    flop = ModelFlop(config, architecture_of("aya", RELEASED["aya"]))
    short, long = (BatchContent((tokens,), tiles=9, supervised=0) for tokens in (1, 2))
    forward, backward = (of(long).text - of(short).text for of in (flop.forward, flop.backward))
    weights = 32 * (4096 * (4096 + 1024 + 1024 + 4096) + 3 * 4096 * 14336)
    adapters = 167_772_160
    assert forward == 2 * (weights + adapters)
    below_the_first = 2 * 4096 * (4096 + 1024 + 1024 + 2 * 14336) + 2 * 64 * 4096 * 5
    assert backward == 2 * weights + 4 * adapters - below_the_first
    assert flop.backward(long).vision == flop.backward(long).projector == 0


def test_one_long_row_takes_more_attention_than_two_short_ones() -> None:
    config, architecture, _ = configuration("aya")
    flop = ModelFlop(config, architecture)
    together = flop.forward(BatchContent((600,), tiles=4, supervised=30))
    apart = flop.forward(BatchContent((300, 300), tiles=4, supervised=30))
    assert together.text_attention == pytest.approx(2 * apart.text_attention, rel=0.01)
    assert replace(together, text_attention=0) == replace(apart, text_attention=0)
