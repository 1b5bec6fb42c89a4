"""Bytes of what the forward pass keeps for the backward pass, and of what a pass needs beside that while it runs.

Which tensors PyTorch keeps was read off `torch.autograd.graph.saved_tensors_hooks` on an H200 (torch 2.11, transformers
5.17, peft, bitsandbytes 0.50), both families, with and without recomputation; `docs/memory.md` has the sums, and
`benchmarks/forecast.py` measures them again. In the formulas h is a tower's hidden size, i its MLP's, w the bytes of a
number in the run's dtype. Everything is per token of the tower, a tile's patches being its tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.layers import LinearLayer
from inft.forecast.lengths import BatchShape
from inft.forecast.weights import WIDTH, adapted_layers, adapter_parameters
from inft.models.targets import LAYOUTS

FP32 = 4
MASK = 1  # a dropout mask is a byte a number

# Short-lived tensors of one layer, in multiples of i bytes at w = 2. Measured at 2,000 to 24,000 tokens on Aya: a layer
# that is not recomputed has most of its work kept anyway; the backward pass adds gradients to the layer it is at.
TEXT_FORWARD_KEPT = 4.5
TEXT_FORWARD_RECOMPUTED = 7.25
TEXT_BACKWARD = 3.0
VISION_LAYER = 10.0
PROJECTOR = 9.4  # of its wide layer's size

PATCH_ROUNDING = 8
"""Llama pads the tokens of a tile to a multiple of this (transformers MllamaVisionModel.forward)."""


@dataclass(frozen=True)
class Kept:
    """What the forward pass keeps, in bytes, by part of the model."""

    vision: float
    projector: float
    text: float
    adapters: float
    """Copies of the fp32 adapters in the run's dtype, which autocast makes and the graph keeps."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.vision + self.projector + self.text + self.adapters


class Activations:
    """The activations of one configuration on one micro-batch.

    Args:
        config: adapters, dtype, attention and recomputation are used.
        architecture: of the model.
        shape: the micro-batch.
    """

    def __init__(self, config: Config, architecture: Architecture, shape: BatchShape) -> None:
        self._text, self._vision = architecture.text, architecture.vision
        self._architecture, self._config, self._shape = architecture, config, shape
        self._width = WIDTH[config.compute_dtype]
        self._recompute = config.sft.gradient_checkpointing
        self._text_tokens = shape.rows * shape.tokens
        self._vision_tokens, self._picture_tokens = _picture_tokens(architecture, shape)
        adapted = adapted_layers(architecture, config.target_modules, config.lora.scope)
        layout = LAYOUTS[architecture.family]
        self._adapted: dict[str, list[LinearLayer]] = {}
        for layer in adapted:
            self._adapted.setdefault(layout.group(layer.path), []).append(layer)

    @property
    def vision_is_trained(self) -> bool:
        """Whether a gradient goes through the vision tower; a frozen one keeps nothing."""
        return "vision" in self._adapted or self._config.lora.bias == "all"

    @property
    def projector_is_trained(self) -> bool:
        """Whether a gradient goes through the projector."""
        return self.vision_is_trained or "projector" in self._adapted

    def kept(self) -> Kept:
        """What is there when the backward pass begins."""
        return Kept(
            vision=self._vision_kept() if self.vision_is_trained else 0,
            projector=self._projector_kept() if self.projector_is_trained else 0,
            text=self._text_kept(),
            adapters=0 if self._recompute else self.cast_adapters(),
        )

    def cast_adapters(self) -> int:
        """Autocast's copies of the adapters, there as long as a forward pass lasts."""
        casts = self._width < FP32 and self._config.lora.adapter_dtype == "float32"
        return self._width * adapter_parameters(self._config, self._architecture) if casts else 0

    def inputs(self, micro_batches: int) -> int:
        """Pictures and ids of so many micro-batches, which are all on the card from a step's beginning.

        fp32 pixels of 3 channels; ids, labels and mask of 8 bytes each, on Llama also 8 bytes a tile.
        """
        tiles = self._shape.rows * self._vision.max_tiles or self._shape.tiles
        pixels = tiles * 3 * self._vision.tile_pixels**2 * FP32
        ids = self._text_tokens * 8 * (3 + self._vision.max_tiles)
        return micro_batches * (pixels + ids)

    def vision_work(self, *, backward: bool = True) -> float:
        """The vision side's forward pass beside what is kept of it; nothing is, where no backward pass follows.

        transformers returns every layer's output, so that a frozen tower's live until the projector is done:
        `4 h (layers + 1)`. Beside them there is a layer's own work, `10 i`, or that of Aya's projector, whose wide
        layer is there in fp32, in the run's dtype and in gated halves.
        """
        vision, wide = self._vision, self._architecture.projector_hidden
        outputs = 0 if self.vision_is_trained and backward else FP32 * vision.hidden * (self._vision_layers + 1)
        layer = self._vision_tokens * VISION_LAYER * vision.intermediate
        projector = self._picture_tokens * PROJECTOR * wide
        return self._vision_tokens * outputs + max(layer, projector) + self._tower_mask()

    def text_work(self) -> float:
        """The language model's forward pass beside what is kept of it."""
        factor = TEXT_FORWARD_RECOMPUTED if self._recompute else TEXT_FORWARD_KEPT
        return self._text_tokens * factor * self._text.intermediate * self._width / 2

    def text_backward_work(self) -> float:
        """The backward pass through one layer of the language model: what is computed again, and gradients."""
        if not self._recompute:
            return self._text_tokens * TEXT_FORWARD_KEPT * self._text.intermediate * self._width / 2
        crossing = bool(self._text.cross_layers)
        layer = max(self._self_layer(), self._cross_layer() if crossing else 0)
        return layer + self._text_tokens * TEXT_BACKWARD * self._text.intermediate * self._width / 2

    def vision_backward_work(self) -> float:
        """The backward pass through one layer of the vision tower; 0 if it is frozen."""
        if not self.vision_is_trained:
            return 0
        again = self._vision_layer() if self._recompute else 0
        return self._vision_tokens * (again + VISION_LAYER * self._vision.intermediate) + self._tower_mask()

    def _text_kept(self) -> float:
        text = self._text
        ends = self._text_tokens * (2 * FP32 * text.hidden + self._width * text.hidden)
        if self._recompute:
            states = self._picture_tokens * text.hidden * self._width if text.cross_layers else 0
            return ends + self._text_tokens * text.layers * text.hidden * self._width + states
        crossing = len(text.cross_layers)
        kept = ends + (text.layers - crossing) * self._self_layer()
        return kept + (crossing * self._cross_layer() if crossing else 0)

    def _self_layer(self) -> float:
        """Of one that attends to the text: norms `8 h`, queries and outputs `2 w h`, keys and values, MLP `3 w i`."""
        text, width = self._text, self._width
        heads = text.heads * text.head_dim
        # Behind a padding mask the kernels want as many keys as queries; without one they share them.
        keys = heads if self._is_masked else text.kv_heads * text.head_dim
        each = 2 * FP32 * text.hidden + 2 * width * (heads + keys) + FP32 * text.heads + 3 * width * text.intermediate
        if self._is_masked:
            each += width * self._shape.tokens
        each += self._scores(text.heads, self._shape.tokens)
        number = next((number for number in range(text.layers) if number not in text.cross_layers), 0)
        each += sum(map(self._adapted_input, self._adapted_in_layer(number)))
        return self._text_tokens * each

    def _cross_layer(self) -> float:
        """Of a layer that attends to the picture: as the others, with queries and keys normalised in fp32."""
        text, width = self._text, self._width
        heads, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
        each = 2 * FP32 * text.hidden + (2 * width + FP32) * heads + FP32 * text.heads + 3 * width * text.intermediate
        each += self._scores(text.heads, self._picture_tokens // self._shape.rows)
        of_picture = 2 * width * heads + FP32 * keys
        adapted = self._adapted_in_layer(text.cross_layers[0])
        of_keys = [layer for layer in adapted if layer.path.endswith(("k_proj", "v_proj"))]
        each += sum(self._adapted_input(layer) for layer in adapted if layer not in of_keys)
        of_picture += sum(map(self._adapted_input, of_keys))
        return self._text_tokens * each + self._picture_tokens * of_picture

    def _vision_kept(self) -> float:
        ends = self._vision_tokens * (2 + self._vision.kept_layers) * FP32 * self._vision.hidden
        each = FP32 * self._vision.hidden if self._recompute else self._vision_layer()
        return ends + self._vision_tokens * self._vision_layers * each + self._tower_mask()

    def _vision_layer(self) -> float:
        """Norms `8 h`, queries, keys, values and outputs `4 w h`, the activation's input in fp32, `4 i`."""
        vision = self._vision
        each = 2 * FP32 * vision.hidden + 4 * self._width * vision.hidden + FP32 * vision.intermediate
        each += self._scores(vision.heads, self._vision_tokens // max(1, self._attended_apart))
        adapted = sum(map(self._adapted_input, self._adapted.get("vision", ())))
        return each + adapted / self._vision_layers

    def _projector_kept(self) -> float:
        """Aya: the gated halves of its wide layer and its norm's input in fp32. Llama: one linear layer, nothing."""
        wide = self._architecture.projector_hidden
        merged = self._vision.hidden * self._architecture.downsample**2
        each = FP32 * (wide + merged) if wide else 0
        return self._picture_tokens * (each + sum(map(self._adapted_input, self._adapted.get("projector", ()))))

    def _adapted_input(self, layer: LinearLayer) -> int:
        """An adapter keeps its input after the dropout, the dropout's mask, and its own r numbers between A and B.

        Without dropout, layers that read the same tensor keep it once, and what attention returns is kept anyway.
        """
        lora, width = self._config.lora, self._width
        if lora.dropout > 0:
            return (width + MASK) * layer.inputs + width * lora.r
        shared = layer.path.endswith(("k_proj", "v_proj", "up_proj", "o_proj", "out_proj"))
        return (0 if shared else width * layer.inputs) + width * lora.r

    def _adapted_in_layer(self, number: int) -> list[LinearLayer]:
        return [layer for layer in self._adapted.get("language", ()) if f".layers.{number}." in layer.path]

    def _tower_mask(self) -> float:
        """Llama's tower hides padded patches by a mask over all tokens of a row, one for all layers."""
        if not self._vision.max_tiles:
            return 0
        each = self._vision_tokens // self._shape.rows
        return self._shape.rows * each * each * self._width

    def _scores(self, heads: int, attended: int) -> int:
        """Eager attention keeps the scores of every pair, in fp32 before and in the run's dtype after rounding."""
        return heads * attended * (FP32 + self._width) if self._config.basic.attn_impl == "eager" else 0

    @property
    def _is_masked(self) -> bool:
        """Whether attention gets a mask: rows of different lengths need one, a single row does not."""
        return self._shape.rows > 1 and self._config.basic.attn_impl not in ("flex", "flash")

    @property
    def _vision_layers(self) -> int:
        return self._vision.layers + self._vision.global_layers

    @property
    def _attended_apart(self) -> int:
        """Pieces of the vision tokens that attend only to themselves: tiles on Aya, rows on Llama."""
        return self._shape.rows if self._vision.max_tiles else self._shape.tiles


def _picture_tokens(architecture: Architecture, shape: BatchShape) -> tuple[int, int]:
    """Tokens that the vision tower runs, and tokens that come out of the projector, of a whole micro-batch."""
    vision = architecture.vision
    if not vision.max_tiles:
        patches = shape.tiles * vision.patches_per_tile
        return patches, patches // architecture.downsample**2
    tiles = shape.rows * vision.max_tiles
    padded = -(-vision.patches_per_tile // PATCH_ROUNDING) * PATCH_ROUNDING
    return tiles * padded, tiles * vision.patches_per_tile
