"""Bytes of what one layer keeps for its backward pass, run operation by operation or compiled.

Compiled layers (`sft.torch_compile`) keep what the partitioner of torch's AOTAutograd decides to keep between their
forward and their backward graph: inputs of matrix products and attention, and of what lies between them the least that
the rest can be computed from again. Which tensors those are was read off `torch.autograd.graph.saved_tensors_hooks` for
each kind of layer (torch 2.13, dynamic shapes, autocast, adapters with and without dropout); `docs/memory.md` has the
sums.

In the formulas h is a tower's hidden size, i its MLP's, w the bytes of a number in the run's dtype, s those of one in
the vision tower's sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.layers import LinearLayer
from inft.forecast.lengths import BatchShape
from inft.forecast.weights import WIDTH, adapted_layers
from inft.models.released import PATCH_ROUNDING
from inft.models.targets import LAYOUTS

FP32 = 4
MASK = 1  # a dropout mask is a byte a number


@dataclass(frozen=True)
class Tokens:
    """What goes through each part of the model in one micro-batch.

    Attributes:
        rows: of it.
        row: tokens of its longest row.
        text: of the language model, padding included where there is any.
        vision: of the vision tower.
        apart: pieces of those that attend only to themselves: tiles on Aya, pictures on Llama.
        pictures: that come out of the projector.
    """

    rows: int
    row: int
    text: int
    vision: int
    apart: int
    pictures: int

    @classmethod
    def of(cls, config: Config, architecture: Architecture, shape: BatchShape) -> Tokens:
        """Of a micro-batch, padded or not as the configuration says."""
        vision = architecture.vision
        text = shape.all_tokens if config.sft.padding_free else shape.rows * shape.tokens
        if not vision.max_tiles:
            patches = shape.tiles * vision.patches_per_tile
            merged = patches // architecture.downsample**2
            return cls(shape.rows, shape.tokens, text, patches, max(1, shape.tiles), merged)
        tiles = shape.rows * vision.max_tiles
        padded = -(-vision.patches_per_tile // PATCH_ROUNDING) * PATCH_ROUNDING
        return cls(shape.rows, shape.tokens, text, tiles * padded, shape.rows, tiles * vision.patches_per_tile)


@lru_cache(maxsize=64)
def _adapted_by_part(
    architecture: Architecture, names: tuple[str, ...], scope: str
) -> Mapping[str, Sequence[LinearLayer]]:
    """The adapted layers of the vision tower, the projector and the language model."""
    layout = LAYOUTS[architecture.family]
    found: dict[str, list[LinearLayer]] = {}
    for layer in adapted_layers(architecture, names, scope):
        found.setdefault(layout.group(layer.path), []).append(layer)
    return found


def tower_width(config: Config) -> int:
    """Bytes of a number in the sums of a vision tower.

    Its norms return fp32 under autocast, and 4-bit layers what they are given; with rows end to end norms of bf16
    weights return bf16 (`inft.models.narrow_norms`).
    """
    narrow = config.sft.padding_free and config.compute_dtype == "bfloat16"
    return WIDTH[config.compute_dtype] if narrow else FP32


class PlainLayers:
    """Layers that run operation by operation; PyTorch keeps what each operation asks for.

    Args:
        config: adapters, dtype and attention are used.
        architecture: of the model.
        tokens: of the micro-batch.
    """

    def __init__(self, config: Config, architecture: Architecture, tokens: Tokens) -> None:
        self._text, self._vision = architecture.text, architecture.vision
        self._config, self._tokens = config, tokens
        self._width, self._tower_width = WIDTH[config.compute_dtype], tower_width(config)
        self._adapted = _adapted_by_part(architecture, config.target_modules, config.lora.scope)

    @property
    def keeps_casts(self) -> bool:
        """Whether adapters in 16 bit are kept beside those in fp32."""
        return True

    @property
    def vision_is_trained(self) -> bool:
        """Whether a gradient goes through the vision tower; a frozen one keeps nothing."""
        return "vision" in self._adapted or self._config.lora.bias == "all"

    @property
    def projector_is_trained(self) -> bool:
        """Whether a gradient goes through the projector."""
        return self.vision_is_trained or "projector" in self._adapted

    def attends_to_text(self) -> float:
        """A layer of the language model that attends to the text."""
        return self._tokens.text * self._text_layer()

    def attends_to_picture(self) -> float:
        """A layer of the language model that attends to the picture (Llama)."""
        text_token, picture_token = self._cross_layer()
        return self._tokens.text * text_token + self._tokens.pictures * picture_token

    def of_vision(self) -> float:
        """A layer of the vision tower."""
        layers = self._vision.layers + self._vision.global_layers
        adapters = self._adapted_inputs(self._adapted.get("vision", ()))
        return self._tokens.vision * (self._vision_layer() + adapters / layers)

    def adapters_of_projector(self) -> int:
        """For each of its tokens."""
        return self._adapted_inputs(self._adapted.get("projector", ()))

    def _text_layer(self) -> float:
        """For each token: norms `8 h`, queries and outputs `2 w h`, keys and values, MLP `3 w i`."""
        text, width = self._text, self._width
        heads = text.heads * text.head_dim
        # Behind a padding mask the kernels want as many keys as queries; without one they share them.
        keys = heads if self._is_masked else text.kv_heads * text.head_dim
        each = 2 * FP32 * text.hidden + 2 * width * (heads + keys) + FP32 * text.heads + 3 * width * text.intermediate
        if self._is_masked:
            each += width * self._tokens.row
        return each + self._scores(text.heads, self._tokens.row) + self._adapters_of_text_layer()

    def _cross_layer(self) -> tuple[float, float]:
        """For each token of the text and for each of the picture: queries and keys are normalised in fp32."""
        text, width = self._text, self._width
        heads, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
        each = 2 * FP32 * text.hidden + (2 * width + FP32) * heads + FP32 * text.heads + 3 * width * text.intermediate
        each += self._scores(text.heads, self._tokens.pictures // self._tokens.rows)
        of_text, of_picture = self._adapted_in_cross_layer()
        shared = text.kv_heads if self._config.sft.padding_free else text.heads
        of_keys = 2 * width * shared * text.head_dim + FP32 * keys
        return each + self._adapted_inputs(of_text), of_keys + self._adapted_inputs(of_picture)

    def _vision_layer(self) -> float:
        """For each token: norms `8 h`, queries, keys, values and outputs `4 w h`, the activation's input `s i`."""
        vision = self._vision
        each = 2 * FP32 * vision.hidden + 4 * self._width * vision.hidden + self._tower_width * vision.intermediate
        return each + self._scores(vision.heads, self._tokens.vision // self._tokens.apart)

    def _adapters_of_text_layer(self) -> int:
        number = next((number for number in range(self._text.layers) if number not in self._text.cross_layers), 0)
        return self._adapted_inputs(self._adapted_in_layer(number))

    def _adapted_in_cross_layer(self) -> tuple[list[LinearLayer], list[LinearLayer]]:
        """Layers that read the text, and those that read the picture."""
        adapted = self._adapted_in_layer(self._text.cross_layers[0])
        of_picture = [layer for layer in adapted if layer.path.endswith(("k_proj", "v_proj"))]
        return [layer for layer in adapted if layer not in of_picture], of_picture

    def _adapted_inputs(self, layers: Iterable[LinearLayer]) -> int:
        return sum(map(self._adapted_input, layers))

    def _adapted_input(self, layer: LinearLayer) -> int:
        """An adapter keeps its input after the dropout, the dropout's mask, and its own r numbers between A and B.

        Without dropout, layers that read the same tensor keep it once, and what attention returns is kept anyway.
        """
        lora, width = self._config.lora, self._width
        if lora.dropout > 0:
            return (width + MASK) * layer.inputs + width * lora.r
        names = ("k_proj", "v_proj", "up_proj", "o_proj", "out_proj")
        # Aya's attention and MLP lie side by side.
        shared = layer.path.endswith(names if self._text.cross_layers else (*names, "gate_proj"))
        return (0 if shared else width * layer.inputs) + width * lora.r

    def _adapted_in_layer(self, number: int) -> list[LinearLayer]:
        return [layer for layer in self._adapted.get("language", ()) if f".layers.{number}." in layer.path]

    def _scores(self, heads: int, attended: int) -> int:
        """Eager attention keeps the scores of every pair, in fp32 before and in the run's dtype after rounding."""
        return heads * attended * (FP32 + self._width) if self._config.basic.attn_impl == "eager" else 0

    @property
    def _is_masked(self) -> bool:
        """Whether attention gets a mask: padded rows of different lengths need one, a single row does not."""
        config = self._config
        return self._tokens.rows > 1 and config.basic.attn_impl not in ("flex", "flash") and not config.sft.padding_free


class _Thrift(IntEnum):
    """How little a compiled layer keeps; torch's partitioner tries one after the other until its budget is kept to."""

    NONE = 0
    """All that makes the backward pass quick."""
    FUSED = 1
    """Not what element-wise operations make of what is kept: inputs behind a dropout, adapters in 16 bit."""
    ATTENTION = 2
    """Neither dropout masks, which are drawn again from their seeds, nor what attention returned."""


@dataclass(frozen=True)
class Again:
    """What the backward pass of compiled layers computes again, beside what costs next to nothing.

    Attributes:
        attention: whether that.
        products: share of the linear layers' products, 0..1.
    """

    attention: bool
    products: float


class CompiledLayers(PlainLayers):
    """Layers that torch.compile has made one forward and one backward graph of.

    `sft.activation_budget` makes steps of it, see `_Thrift`. Below the last of them the partitioner leaves out single
    products as well, which is not followed in what is kept: the forecast is then too high.
    """

    @property
    def keeps_casts(self) -> bool:
        """Whether adapters in 16 bit are kept beside those in fp32."""
        return self._config.sft.activation_budget == 1

    def attends_to_text(self) -> float:
        """A layer of the language model that attends to the text."""
        return self._of_text(self._thrift(self._of_text))

    def attends_to_picture(self) -> float:
        """A layer of the language model that attends to the picture (Llama)."""
        return self._of_crossing(self._thrift(self._of_crossing))

    def of_vision(self) -> float:
        """A layer of the vision tower."""
        return self._of_tower(self._thrift(self._of_tower))

    def text_again(self) -> Again:
        """In a layer of the language model that attends to the text."""
        return self._again(self._of_text)

    def crossing_again(self) -> Again:
        """In a layer of the language model that attends to the picture (Llama)."""
        return self._again(self._of_crossing)

    def vision_again(self) -> Again:
        """In a layer of the vision tower."""
        return self._again(self._of_tower)

    def _thrift(self, kept: Callable[[_Thrift], float]) -> _Thrift:
        budget = self._config.sft.activation_budget
        if budget == 1:
            return _Thrift.NONE
        return _Thrift.FUSED if kept(_Thrift.FUSED) < budget * kept(_Thrift.NONE) else _Thrift.ATTENTION

    def _again(self, kept: Callable[[_Thrift], float]) -> Again:
        if self._thrift(kept) < _Thrift.ATTENTION:
            return Again(attention=False, products=0.0)
        least = kept(_Thrift.ATTENTION) / kept(_Thrift.NONE)
        return Again(attention=True, products=max(0.0, 1 - self._config.sft.activation_budget / least))

    def _of_text(self, thrift: _Thrift) -> float:
        return self._tokens.text * self._text_token(thrift)

    def _of_crossing(self, thrift: _Thrift) -> float:
        return self._tokens.text * self._crossing_token(thrift) + self._tokens.pictures * self._picture_token(thrift)

    def _of_tower(self, thrift: _Thrift) -> float:
        return self._tokens.vision * self._vision_token(thrift)

    def _text_token(self, thrift: _Thrift) -> float:
        """What its norms read, `w h` each, queries, outputs, keys and values, and the MLP's two halves, `2 w i`."""
        text, width = self._text, self._width
        heads, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
        norms = 2 if text.cross_layers else 1  # Aya's attention and MLP read the same one
        each = norms * (width * text.hidden + FP32) + 2 * width * (keys + text.intermediate)
        each += width * heads if thrift == _Thrift.ATTENTION else 2 * width * heads + FP32 * text.heads
        number = next((number for number in range(text.layers) if number not in text.cross_layers), 0)
        return each + self._adapters(self._adapted_in_layer(number), thrift)

    def _crossing_token(self, thrift: _Thrift) -> float:
        """As of the text; queries are there before and after their norm, unless what is quick is computed again."""
        text, width = self._text, self._width
        heads = text.heads * text.head_dim
        each = 2 * (width * text.hidden + FP32) + 2 * width * text.intermediate + FP32 * text.heads
        each += width * heads if thrift == _Thrift.ATTENTION else 2 * width * heads + FP32 * text.heads
        each += width * heads if thrift == _Thrift.NONE else 0
        return each + self._adapters(self._adapted_in_cross_layer()[0], thrift)

    def _picture_token(self, thrift: _Thrift) -> float:
        """Values, and keys as queries. A frozen tower asks for no masks: no gradient goes there."""
        text, width = self._text, self._width
        adapted, kept = self._adapted_in_cross_layer()[1], 3 if thrift == _Thrift.NONE else 2
        each = kept * width * text.kv_heads * text.head_dim + FP32 * text.kv_heads + self._adapters(adapted, thrift)
        if thrift == _Thrift.NONE and self._config.lora.dropout > 0 and not self.projector_is_trained:
            each -= MASK * sum(layer.inputs for layer in adapted)
        return each

    def _vision_token(self, thrift: _Thrift) -> float:
        """What comes in, `s h`, what attention adds to it, its `4 w h`, and the MLP before its activation."""
        vision, width = self._vision, self._width
        each = (self._tower_width + width) * vision.hidden + width * vision.intermediate + 4 * FP32
        each += width * vision.hidden * (3 if thrift == _Thrift.ATTENTION else 4)
        each += 0 if thrift == _Thrift.ATTENTION else FP32 * vision.heads
        return each + self._adapters(self._adapted.get("vision", ()), thrift) / (vision.layers + vision.global_layers)

    def _adapters(self, layers: Iterable[LinearLayer], thrift: _Thrift) -> int:
        if thrift == _Thrift.NONE:
            return self._adapted_inputs(layers)
        lora = self._config.lora
        mask = MASK if lora.dropout > 0 and thrift == _Thrift.FUSED else 0
        return sum(mask * layer.inputs + self._width * lora.r for layer in layers)
