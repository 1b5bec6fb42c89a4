"""Which parameters a model has: its linear layers by path and size, and everything else by number.

The same layers as transformers builds, in the same order; `tests/forecast/test_layers.py` holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from inft.forecast.architecture import Architecture
from inft.models.targets import LAYOUTS

CHANNELS = 3
"""Of a picture."""

EXTRA_EMBEDDINGS = 8
"""Rows of Llama's embedding that its head has none for; the picture's token is the first of them."""


@dataclass(frozen=True)
class LinearLayer:
    """One linear layer of the base: `inputs` x `outputs` weights, and `outputs` biases if it has any."""

    path: str
    inputs: int
    outputs: int
    bias: bool

    @property
    def weights(self) -> int:
        """Its weights, biases left out."""
        return self.inputs * self.outputs

    @property
    def biases(self) -> int:
        """Its biases."""
        return self.outputs if self.bias else 0


@lru_cache(maxsize=16)
def linear_layers(architecture: Architecture) -> tuple[LinearLayer, ...]:
    """Every linear layer that could take an adapter: all but the output head."""
    layers = _aya(architecture) if architecture.family == "aya" else _llama(architecture)
    return tuple(layers)


@lru_cache(maxsize=16)
def other_parameters(architecture: Architecture) -> int:
    """Parameters that are no linear layer's: embeddings, the output head unless tied, norms, positions, gates."""
    text, vision = architecture.text, architecture.vision
    head = 0 if text.tied else text.vocabulary * text.hidden
    patch = CHANNELS * vision.patch_pixels**2 * vision.hidden
    if architecture.family == "aya":
        embedding = text.vocabulary * text.hidden
        text_norms = (text.layers + 1) * text.hidden
        vision_rest = patch + vision.patches_per_tile * vision.hidden
        return embedding + head + text_norms + vision_rest + other_biases(architecture) + _norm_weights(architecture)
    crossing = len(text.cross_layers)
    embedding = (text.vocabulary + EXTRA_EMBEDDINGS) * text.hidden
    text_norms = (2 * text.layers + 1) * text.hidden + crossing * (2 * text.head_dim + 2)  # q_norm, k_norm, two gates
    # A gate and, for each arrangement of tiles, the places of tiles before, within and after the tower; 0 = no picture.
    per_arrangement = vision.max_tiles * vision.hidden * (vision.patches_per_tile + 2)
    places = (vision.aspect_ratios + 1) * per_arrangement + vision.patches_per_tile * vision.hidden + 3
    vision_rest = patch + vision.hidden + places + 2 * vision.global_layers  # the class token; two gates each
    return embedding + head + text_norms + vision_rest + other_biases(architecture) + _norm_weights(architecture)


@lru_cache(maxsize=16)
def other_biases(architecture: Architecture) -> int:
    """Those of the `other_parameters` that are biases, which `lora.bias = "all"` trains: the vision side's norms'."""
    vision = architecture.vision
    if architecture.family == "aya":  # and those of the patch embedding
        return _norm_weights(architecture) + vision.hidden
    return _norm_weights(architecture)


def total_parameters(architecture: Architecture) -> int:
    """Every parameter of the base, a tied one counted once."""
    linear = sum(layer.weights + layer.biases for layer in linear_layers(architecture))
    return linear + other_parameters(architecture)


def _norm_weights(architecture: Architecture) -> int:
    """Weights of the norms that have biases too: two of each vision layer, those around the layers, the projector's."""
    vision = architecture.vision
    if architecture.family == "aya":
        return (2 * vision.layers + 1) * vision.hidden + vision.hidden * architecture.downsample**2
    return (2 * (vision.layers + vision.global_layers) + 2) * vision.hidden


def _aya(architecture: Architecture) -> Iterator[LinearLayer]:
    text, vision, layout = architecture.text, architecture.vision, LAYOUTS["aya"]
    for number in range(vision.layers):
        layer = f"{layout.vision}.encoder.layers.{number}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield LinearLayer(f"{layer}.self_attn.{name}", vision.hidden, vision.hidden, bias=True)
        yield from _mlp(layer, vision.hidden, vision.intermediate)
    merged = vision.hidden * architecture.downsample**2
    wide = architecture.projector_hidden
    yield LinearLayer(f"{layout.projector}.linear_1", merged, wide, bias=True)
    yield LinearLayer(f"{layout.projector}.linear_2", wide // 2, text.hidden, bias=True)
    for number in range(text.layers):
        yield from _text_layer(architecture, f"{layout.language}.layers.{number}", "self_attn")


def _llama(architecture: Architecture) -> Iterator[LinearLayer]:
    text, vision, layout = architecture.text, architecture.vision, LAYOUTS["llama32"]
    for part, count in (("transformer", vision.layers), ("global_transformer", vision.global_layers)):
        for number in range(count):
            layer = f"{layout.vision}.{part}.layers.{number}"
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                yield LinearLayer(f"{layer}.self_attn.{name}", vision.hidden, vision.hidden, bias=False)
            yield from _mlp(layer, vision.hidden, vision.intermediate)
    for number in range(text.layers):
        attention = "cross_attn" if number in text.cross_layers else "self_attn"
        yield from _text_layer(architecture, f"{layout.language}.layers.{number}", attention)
    yield LinearLayer(layout.projector, vision.output_dim, text.hidden, bias=True)


def _mlp(layer: str, hidden: int, intermediate: int) -> Iterator[LinearLayer]:
    yield LinearLayer(f"{layer}.mlp.fc1", hidden, intermediate, bias=True)
    yield LinearLayer(f"{layer}.mlp.fc2", intermediate, hidden, bias=True)


def _text_layer(architecture: Architecture, layer: str, attention: str) -> Iterator[LinearLayer]:
    text = architecture.text
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    yield LinearLayer(f"{layer}.{attention}.q_proj", text.hidden, queries, bias=False)
    yield LinearLayer(f"{layer}.{attention}.k_proj", text.hidden, keys, bias=False)
    yield LinearLayer(f"{layer}.{attention}.v_proj", text.hidden, keys, bias=False)
    yield LinearLayer(f"{layer}.{attention}.o_proj", queries, text.hidden, bias=False)
    yield LinearLayer(f"{layer}.mlp.gate_proj", text.hidden, text.intermediate, bias=False)
    yield LinearLayer(f"{layer}.mlp.up_proj", text.hidden, text.intermediate, bias=False)
    yield LinearLayer(f"{layer}.mlp.down_proj", text.intermediate, text.hidden, bias=False)
