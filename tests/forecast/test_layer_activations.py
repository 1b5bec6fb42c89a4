"""What compiled layers keep, against what was counted of real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inft.config import Config
from inft.forecast.activations import Activations
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.layer_activations import CompiledLayers, PlainLayers, Tokens
from inft.forecast.lengths import BatchShape
from inft.models.released import RELEASED
from inft.params import FamilyName
from inft.profiles import resolve

TOKENS = Tokens(rows=2, row=600, text=1000, vision=2028, apart=3, pictures=3000)
STATES = 3 * 2 * 512
"""What attends to pictures keeps these themselves, too; all such layers keep the same."""

# Bytes a token that torch.autograd.graph.saved_tensors_hooks saw (torch 2.13, transformers 5.23, peft 0.21, dynamic
# shapes, autocast, rows of 400 and 600 tokens) of layers an eighth as wide as the released ones (a quarter in the
# tower), adapters of rank 8. Left out: rotary tables, which all layers share, and adapters in 16 bit.
COUNTED = [
    ("aya", "text", 0.1, 1.0, 25480),
    ("aya", "text", 0.1, 0.8, 15752),
    ("aya", "text", 0.1, 0.5, 9848),
    ("aya", "text", 0.0, 1.0, 15496),
    ("aya", "text", 0.0, 0.8, 10888),
    ("llama32", "text", 0.1, 1.0, 26504),
    ("llama32", "text", 0.1, 0.7, 16776),
    ("llama32", "text", 0.1, 0.5, 10872),
    ("llama32", "picture", 0.1, 1.0, 32484),
    ("llama32", "picture", 0.1, 0.7, 23014 - STATES),
    ("llama32", "picture", 0.1, 0.5, 15062 - STATES),
    ("aya", "vision", 0.1, 1.0, 9736),
    ("aya", "vision", 0.1, 0.8, 7432),
    ("aya", "vision", 0.1, 0.7, 5688),
]


def narrow(family: FamilyName) -> Architecture:
    whole = architecture_of(family, RELEASED[family])
    text = replace(whole.text, hidden=512, intermediate=1792, heads=4, kv_heads=1)
    return replace(whole, text=text, vision=replace(whole.vision, hidden=288, intermediate=1076, heads=4))


def compiled(family: FamilyName, *settings: str) -> Config:
    fast = ("sft.padding_free=true", "sft.torch_compile=true", "sft.gradient_checkpointing=false")
    return resolve("aya_basic" if family == "aya" else "llama_basic", [*fast, *settings]).config


@pytest.mark.parametrize(("family", "kind", "dropout", "budget", "counted"), COUNTED)
def test_compiled_layers_keep_what_was_counted(
    family: FamilyName, kind: str, dropout: float, budget: float, counted: int
) -> None:
    settings = ["lora.r=8", f"lora.dropout={dropout}", f"sft.activation_budget={budget}"]
    if kind == "vision":
        settings.append("lora.target_modules=['q_proj', 'k_proj', 'v_proj', 'out_proj']")
    else:
        settings.append("lora.scope=language")
    layers = CompiledLayers(compiled(family, *settings), narrow(family), TOKENS)
    kept = {
        "text": layers.attends_to_text() / TOKENS.text,
        "picture": layers.attends_to_picture() / TOKENS.text if family == "llama32" else 0,
        "vision": layers.of_vision() / TOKENS.vision,
    }
    assert kept[kind] == pytest.approx(counted, rel=1e-3)


@pytest.mark.parametrize("family", ["aya", "llama32"])
def test_compiled_layers_keep_less_than_plain_ones_and_less_still_of_a_budget(family: FamilyName) -> None:
    architecture = architecture_of(family, RELEASED[family])
    plain = PlainLayers(compiled(family), architecture, TOKENS)
    kept = [(plain.attends_to_text(), plain.of_vision())]
    for budget in (1.0, 0.8, 0.5):
        layers = CompiledLayers(compiled(family, f"sft.activation_budget={budget}"), architecture, TOKENS)
        kept.append((layers.attends_to_text(), layers.of_vision()))
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == 4


@pytest.mark.parametrize("family", ["aya", "llama32"])
def test_rows_end_to_end_take_what_they_are_and_padded_ones_what_the_longest_is(family: FamilyName) -> None:
    architecture, free = architecture_of(family, RELEASED[family]), compiled(family)
    shape, shorter = BatchShape(4, 3000, 8, 120, 12000), BatchShape(4, 3000, 8, 120, 6000)
    long, short = (Activations(free, architecture, one).kept().text for one in (shape, shorter))
    assert long > 1.8 * short
    padded = replace(free, sft=replace(free.sft, padding_free=False, torch_compile=False))
    assert Activations(padded, architecture, shape).kept() == Activations(padded, architecture, shorter).kept()
    # Not all of a step's micro-batches are on the card.
    for config, grows in ((free, False), (padded, True)):
        inputs = [Activations(config, architecture, shape).inputs(accumulation) for accumulation in (1, 16)]
        assert (inputs[1] > inputs[0]) == grows


def test_rows_end_to_end_need_no_masks() -> None:
    config = compiled("llama32", "sft.torch_compile=false")
    masked = replace(config, sft=replace(config.sft, padding_free=False))
    architecture, shape = architecture_of("llama32", RELEASED["llama32"]), BatchShape.of_equal_rows(2, 700, 4, 60)
    with_mask, without = (Activations(one, architecture, shape).kept() for one in (masked, config))
    assert with_mask.vision - without.vision == 2 * (4 * 1608) ** 2 * 2  # the tower's, of both rows
    layers, keys = architecture.text.layers - len(architecture.text.cross_layers), (32 - 8) * 128
    # Each text layer's, and keys and values of as many heads as queries have.
    of_text = layers * 1400 * (2 * 700 + 2 * 2 * keys)
    of_pictures = len(architecture.text.cross_layers) * 2 * 4 * 1601 * 2 * 2 * keys
    assert with_mask.text - without.text == pytest.approx(of_text + of_pictures, rel=1e-6)
