"""The forecast's idea of a model, beside the model that transformers builds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoConfig, PreTrainedConfig

from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.layers import LinearLayer, linear_layers, other_biases, total_parameters
from inft.models.adapters import list_linear_modules, skeleton
from inft.models.released import RELEASED
from inft.models.tiny import tiny_checkpoint
from inft.models.tiny_description import IMAGE_TOKEN, TILE_PIXELS, tiny_description
from inft.params import FamilyName


def released(family: FamilyName) -> dict[str, object]:
    return RELEASED[family]


def small(family: FamilyName) -> dict[str, object]:
    description = tiny_description(family, TILE_PIXELS[family])
    description["text_config"] |= {"pad_token_id": 0}  # the tokenizer's, when there is one
    return description


@pytest.mark.parametrize("description", [released, small])
def test_the_layers_are_those_of_the_model(
    family: FamilyName, description: Callable[[FamilyName], dict[str, object]]
) -> None:
    described = description(family)
    architecture = architecture_of(family, described)
    model = skeleton(AutoConfig.for_model(**described))
    layers = linear_layers(architecture)
    assert [(layer.path, (layer.inputs, layer.outputs)) for layer in layers] == list(list_linear_modules(model).items())
    parameters = dict(model.named_parameters())
    assert {layer.path for layer in layers if layer.bias} == {
        layer.path for layer in layers if f"{layer.path}.bias" in parameters
    }
    assert total_parameters(architecture) == sum(parameter.numel() for parameter in parameters.values())
    biases = sum(parameter.numel() for name, parameter in parameters.items() if "bias" in name)
    assert other_biases(architecture) + sum(layer.biases for layer in layers) == biases
    assert architecture.vision.patches_per_tile == (
        parameters["model.vision_tower.embeddings.position_embedding.weight"]
        if family == "aya"
        else parameters["model.vision_model.gated_positional_embedding.embedding"]
    ).size(0)


def test_released_sizes_of_a_tile_and_of_the_whole() -> None:
    aya, llama = (architecture_of(family, RELEASED[family]) for family in ("aya", "llama32"))
    assert (aya.vision.patches_per_tile, llama.vision.patches_per_tile) == (676, 1601)
    assert (total_parameters(aya), total_parameters(llama)) == (8_631_842_032, 10_670_220_835)


def test_the_tiny_checkpoint_is_as_described(family: FamilyName, tmp_path: Path) -> None:
    saved: PreTrainedConfig = AutoConfig.from_pretrained(tiny_checkpoint(family, tmp_path))
    described = architecture_of(family, small(family))
    assert architecture_of(family, saved.to_dict()) == described
    assert saved.image_token_index == IMAGE_TOKEN[family]


def test_what_a_description_leaves_out_is_the_librarys_default(family: FamilyName) -> None:
    kind = RELEASED[family]["model_type"]
    for stated in ({}, {"vision_config": {"hidden_size": 96}, "text_config": {"hidden_size": 512}}):
        whole = AutoConfig.for_model(kind, **{key: dict(value) for key, value in stated.items()}).to_dict()
        assert architecture_of(family, stated) == architecture_of(family, whole)


def test_a_layer_counts_its_weights_and_biases() -> None:
    assert (LinearLayer("a", 3, 5, bias=True).weights, LinearLayer("a", 3, 5, bias=True).biases) == (15, 5)
    assert LinearLayer("a", 3, 5, bias=False).biases == 0


def test_architectures_are_values() -> None:
    one, other = (architecture_of("aya", RELEASED["aya"]) for _ in range(2))
    assert isinstance(one, Architecture)
    assert one == other
    assert linear_layers(one) is linear_layers(other)
