"""Bytes of what the forward pass keeps for the backward pass, and of what a pass needs beside that while it runs.

Which tensors PyTorch keeps was read off `torch.autograd.graph.saved_tensors_hooks` on an H200 (torch 2.11, transformers
5.17, peft, bitsandbytes 0.50), both families, with and without recomputation; `docs/memory.md` has the sums, and
`benchmarks/forecast.py` measures them again. In the formulas h is a tower's hidden size, i its MLP's, w the bytes of a
number in the run's dtype, s those of one in the vision tower's sums (`tower_width`). Everything is per token of the
tower, a tile's patches being its tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.layer_activations import FP32, CompiledLayers, PlainLayers, Tokens, tower_width
from inft.forecast.lengths import BatchShape
from inft.forecast.weights import WIDTH, adapter_parameters

# Short-lived tensors of one layer, in multiples of i bytes at w = 2. Measured at 2,000 to 24,000 tokens on Aya: a layer
# that is not recomputed has most of its work kept anyway; the backward pass adds gradients to the layer it is at.
TEXT_FORWARD_KEPT = 4.5
TEXT_FORWARD_RECOMPUTED = 7.25
TEXT_BACKWARD = 3.0
VISION_LAYER = 10.0
PROJECTOR = 9.4  # of its wide layer's size

TOWER_ENDS = 22
"""Tensors of `s h` a token that Llama's tower has at its end where rows lie end to end: outputs of the kept layers and
of the last one, the former side by side, then in their places again, then without the padding."""

LOSS_TOKENS = 128
"""Supervised tokens whose logits are there at one time, where only those have any (`inft.models.packed_loss`)."""
LOSS_WORK = 18
"""Bytes for each of these logits: in the run's dtype, in fp32, and what the figures beside the loss take of them."""


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
        self._width, self._tower_width = WIDTH[config.compute_dtype], tower_width(config)
        self._recompute = config.sft.gradient_checkpointing
        self._tokens = Tokens.of(config, architecture, shape)
        kind = CompiledLayers if config.sft.torch_compile else PlainLayers
        self._layers = kind(config, architecture, self._tokens)

    def kept(self) -> Kept:
        """What is there when the backward pass begins."""
        return Kept(
            vision=self._vision_kept() if self._layers.vision_is_trained else 0,
            projector=self._projector_kept() if self._layers.projector_is_trained else 0,
            text=self._text_kept(),
            adapters=0 if self._recompute or not self._layers.keeps_casts else self.cast_adapters(),
        )

    def cast_adapters(self) -> int:
        """Copies of the adapters in the run's dtype: autocast's, as long as a forward pass, or compiled layers'."""
        casts = self._width < FP32 and self._config.lora.adapter_dtype == "float32"
        return self._width * adapter_parameters(self._config, self._architecture) if casts else 0

    def inputs(self, accumulation: int) -> int:
        """Pictures and ids of a step of so many micro-batches.

        Padded ones are all on the card from the step's beginning, and the next step's first is fetched ahead: fp32
        pixels of 3 channels; ids, labels and mask of 8 bytes each, on Llama also 8 bytes a tile. Of rows end to end
        there are two, the one at hand and the next, with pixels in the run's dtype and ids and places of 8 bytes each.
        """
        tiles = self._shape.rows * self._vision.max_tiles or self._shape.tiles
        numbers = tiles * 3 * self._vision.tile_pixels**2
        if self._config.sft.padding_free:
            return 2 * (numbers * self._width + self._tokens.text * 8 * 2)
        return (accumulation + 1) * (numbers * FP32 + self._tokens.text * 8 * (3 + self._vision.max_tiles))

    def vision_work(self, *, backward: bool = True) -> float:
        """The vision side's forward pass beside what is kept of it; nothing is, where no backward pass follows.

        transformers returns every layer's output, so that a frozen tower's live until the projector is done:
        `s h (layers + 1)`. Beside them there is a layer's own work, `10 i`, or that of Aya's projector, whose wide
        layer is there in fp32, in the run's dtype and in gated halves. Where rows lie end to end no more is returned
        than needed, by Llama's tower some layers' outputs.
        """
        vision, wide = self._vision, self._architecture.projector_hidden
        layer = self._tokens.vision * VISION_LAYER * vision.intermediate
        work = max(layer, self._tokens.pictures * PROJECTOR * wide)
        of_all = self._tokens.vision * self._tower_width * vision.hidden
        if self._config.sft.padding_free and backward:
            return max(work, TOWER_ENDS * of_all if vision.max_tiles else 0)
        outputs = 0 if self._layers.vision_is_trained and backward else (self._vision_layers + 1) * of_all
        return outputs + work + self._tower_mask(masked=not backward)

    def text_work(self) -> float:
        """The language model's forward pass beside what is kept of it."""
        return self._text_parts(TEXT_FORWARD_RECOMPUTED if self._recompute else TEXT_FORWARD_KEPT)

    def cache(self, new_tokens: int) -> int:
        """Keys and values of every token of padded rows, once so many further ones were generated.

        A layer that attends to the picture has those of its patches instead (Llama).
        """
        text = self._text
        of_text = (text.layers - len(text.cross_layers)) * self._shape.rows * (self._shape.tokens + new_tokens)
        of_pictures = len(text.cross_layers) * self._tokens.pictures
        return 2 * text.kv_heads * text.head_dim * self._width * (of_text + of_pictures)

    def text_backward_work(self) -> float:
        """The backward pass through one layer of the language model: what is computed again, and gradients."""
        if not self._recompute:
            return self._text_parts(TEXT_FORWARD_KEPT)
        return self._largest_text_layer() + self._text_parts(TEXT_BACKWARD)

    def loss_work(self) -> float:
        """The loss of rows that lie end to end, a few supervised tokens at a time.

        0 of padded ones, where it takes less than a layer's backward pass.
        """
        if not self._config.sft.padding_free:
            return 0
        return min(self._shape.supervised, LOSS_TOKENS) * LOSS_WORK * self._text.vocabulary

    def vision_backward_work(self) -> float:
        """The backward pass through one layer of the vision tower; 0 if it is frozen."""
        if not self._layers.vision_is_trained:
            return 0
        again = self._layers.of_vision() if self._recompute else 0
        return again + self._tokens.vision * VISION_LAYER * self._vision.intermediate + self._tower_mask()

    def _text_parts(self, factor: float) -> float:
        """So many of the MLP's intermediate results."""
        return self._tokens.text * factor * self._text.intermediate * self._width / 2

    def _largest_text_layer(self) -> float:
        crossing = bool(self._text.cross_layers)
        return max(self._layers.attends_to_text(), self._layers.attends_to_picture() if crossing else 0)

    def _text_kept(self) -> float:
        text = self._text
        ends = self._tokens.text * (2 * FP32 * text.hidden + self._width * text.hidden)
        if self._recompute:
            states = self._tokens.pictures * text.hidden * self._width if text.cross_layers else 0
            return ends + self._tokens.text * text.layers * text.hidden * self._width + states
        crossing = len(text.cross_layers)
        kept = ends + (text.layers - crossing) * self._layers.attends_to_text()
        return kept + (crossing * self._layers.attends_to_picture() if crossing else 0)

    def _vision_kept(self) -> float:
        of_all = self._tokens.vision * self._tower_width * self._vision.hidden
        each = of_all if self._recompute else self._layers.of_vision()
        return (2 + self._vision.kept_layers) * of_all + self._vision_layers * each + self._tower_mask()

    def _projector_kept(self) -> float:
        """Aya: the gated halves of its wide layer and its norm's input in fp32. Llama: one linear layer, nothing.

        In 16 bit the halves are there, and what becomes of the one that gates.
        """
        wide = self._architecture.projector_hidden
        merged = self._vision.hidden * self._architecture.downsample**2
        halves = FP32 if self._tower_width == FP32 else 1.5 * self._tower_width
        each = halves * wide + FP32 * merged if wide else 0
        return self._tokens.pictures * (each + self._layers.adapters_of_projector())

    def _tower_mask(self, *, masked: bool = False) -> float:
        """Llama's tower hides padded patches by a mask over all tokens of a row, one for all layers.

        Where rows lie end to end there is none, unless `masked` says otherwise: the tower runs in an order in which it
        needs none.
        """
        if not self._vision.max_tiles or (self._config.sft.padding_free and not masked):
            return 0
        each = self._tokens.vision // self._shape.rows
        return self._shape.rows * each * each * self._width

    @property
    def _vision_layers(self) -> int:
        return self._vision.layers + self._vision.global_layers
