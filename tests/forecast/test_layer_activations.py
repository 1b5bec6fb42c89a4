"""What compiled layers keep, against what was counted of real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inft.config import Config
from inft.forecast.activations import Activations
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.layer_activations import CompiledLayers, PlainLayers, Tokens, tower_width
from inft.forecast.lengths import BatchShape
from inft.models.released import RELEASED
from inft.params import FamilyName
from inft.profiles import resolve

TOKENS = Tokens(rows=2, row=600, text=1000, vision=2028, apart=3, pictures=3000)
STATES = 3 * 2 * 512
"""What attends to pictures keeps these themselves, too; all such layers keep the same."""

# Bytes a token that torch.autograd.graph.saved_tensors_hooks saw (torch 2.13, transformers 5.23, peft 0.21, dynamic
# shapes, autocast, rows of 400 and 600 tokens) of layers an eighth as wide as the released ones (a quarter in the
# tower), set up as inft.models.layers does it, adapters of rank 8. Left out: rotary tables, which all layers share, and
# adapters in 16 bit.
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
    ("aya", "vision", 0.1, 1.0, 9160),
    ("aya", "vision", 0.1, 0.8, 6856),
    ("aya", "vision", 0.1, 0.7, 5112),
    ("llama32", "vision", 0.1, 1.0, 10336),
    ("llama32", "vision", 0.1, 0.8, 7776),
    ("llama32", "vision", 0.1, 0.7, 5840),
]


def narrow(family: FamilyName) -> Architecture:
    whole = architecture_of(family, RELEASED[family])
    text = replace(whole.text, hidden=512, intermediate=1792, heads=4, kv_heads=1)
    hidden, inner = (288, 1076) if family == "aya" else (320, 1280)
    return replace(whole, text=text, vision=replace(whole.vision, hidden=hidden, intermediate=inner, heads=4))


def compiled(family: FamilyName, *settings: str) -> Config:
    fast = ("sft.padding_free=true", "sft.torch_compile=true", "sft.gradient_checkpointing=false")
    return resolve("aya_basic" if family == "aya" else "llama_basic", [*fast, *settings]).config


@pytest.mark.parametrize(("family", "kind", "dropout", "budget", "counted"), COUNTED)
def test_compiled_layers_keep_what_was_counted(
    family: FamilyName, kind: str, dropout: float, budget: float, counted: int
) -> None:
    settings = ["lora.r=8", f"lora.dropout={dropout}", f"sft.activation_budget={budget}"]
    if kind == "vision":
        settings.append("lora.target_modules=['q_proj', 'k_proj', 'v_proj', 'o_proj', 'out_proj']")
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


def test_a_tower_of_rows_end_to_end_has_sums_of_16_bit_and_one_of_padded_rows_of_32() -> None:
    free = compiled("aya", "sft.torch_compile=false")
    padded = replace(free, sft=replace(free.sft, padding_free=False))
    half = replace(free, qlora=replace(free.qlora, bnb_4bit_compute_dtype="float16"))
    assert [tower_width(config) for config in (free, padded, half)] == [2, 4, 4]
    architecture, shape = architecture_of("aya", RELEASED["aya"]), BatchShape.of_equal_rows(1, 700, 4, 60)
    of_free, of_padded = (Activations(config, architecture, shape) for config in (free, padded))
    vision, patches = architecture.vision, 4 * 676
    # The activation's input in each layer, and what comes in and goes out; the padded one returns what it need not.
    less = 2 * patches * (vision.layers * vision.intermediate + 2 * vision.hidden)
    assert of_padded.kept().vision - of_free.kept().vision == less
    halves = patches // 4 * architecture.projector_hidden
    assert of_padded.kept().projector - of_free.kept().projector == halves


@pytest.mark.parametrize("family", ["aya", "llama32"])
def test_an_evaluation_runs_padded_rows_through_a_narrow_tower(family: FamilyName) -> None:
    free = compiled(family, "sft.torch_compile=false")
    padded = replace(free, sft=replace(free.sft, padding_free=False))
    architecture, shape = architecture_of(family, RELEASED[family]), BatchShape.of_equal_rows(2, 700, 8, 60)
    of_padded, of_free = (
        Activations(config, architecture, shape).vision_work(backward=False) for config in (padded, free)
    )
    vision, patches = architecture.vision, Tokens.of(free, architecture, shape).vision
    outputs = 1 + vision.layers + vision.global_layers
    assert of_padded - of_free == outputs * patches * 2 * vision.hidden
    assert of_free > Activations(free, architecture, shape).vision_work()


@pytest.mark.parametrize("family", ["aya", "llama32"])
def test_a_compiled_layer_that_is_recomputed_keeps_its_inputs_alone(family: FamilyName) -> None:
    """Counted with a budget of 0: `w h` a token of either tower, and of no layer more."""
    architecture, shape = architecture_of(family, RELEASED[family]), BatchShape.of_equal_rows(1, 700, 4, 60)
    config = compiled(family, "sft.gradient_checkpointing=true")
    fewer = replace(architecture, text=replace(architecture.text, layers=architecture.text.layers - 1))
    less = replace(architecture, vision=replace(architecture.vision, layers=architecture.vision.layers - 1))
    whole, of_fewer, of_less = (Activations(config, one, shape).kept() for one in (architecture, fewer, less))
    assert whole.text - of_fewer.text == 700 * 2 * architecture.text.hidden
    patches = Tokens.of(config, architecture, shape).vision
    assert whole.vision - of_less.vision == patches * 2 * architecture.vision.hidden
    assert whole.adapters == 0


def test_what_is_computed_again_of_a_budget() -> None:
    """In a tower of adapters attention is next once a quarter is gone, in the text once two fifths are."""
    architecture = architecture_of("llama32", RELEASED["llama32"])
    found = {}
    for budget in (1.0, 0.8, 0.7, 0.5, 0.2):
        config = compiled("llama32", f"sft.activation_budget={budget}")
        layers = CompiledLayers(config, architecture, TOKENS)
        found[budget] = [layers.text_again(), layers.vision_again()]
    assert [[again.attention for again in both] for both in found.values()] == [
        [False, False],
        [False, False],
        [False, True],
        [True, True],
        [True, True],
    ]
    assert all(again.products == 0 for again in found[0.7])
    assert all(0 < again.products < 1 for again in found[0.2])


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
    tower, patches = architecture.vision, 2 * 4 * 1608
    of_tower = patches * 2 * (40 * tower.intermediate + (2 + tower.kept_layers) * tower.hidden)  # whose sums are wider
    assert with_mask.vision - without.vision == 2 * (4 * 1608) ** 2 * 2 + of_tower  # of both rows
    layers, keys = architecture.text.layers - len(architecture.text.cross_layers), (32 - 8) * 128
    # Each text layer's, and keys and values of as many heads as queries have.
    of_text = layers * 1400 * (2 * 700 + 2 * 2 * keys)
    of_pictures = len(architecture.text.cross_layers) * 2 * 4 * 1601 * 2 * 2 * keys
    assert with_mask.text - without.text == pytest.approx(of_text + of_pictures, rel=1e-6)
