"""Operations of the model for a micro-batch: what its mathematics takes, however it is computed.

A multiplication and an addition are two operations. Counted are matrix products:

- A linear layer of w weights: `2 w` a token in the forward pass; in the backward pass `2 w` again for the gradient of
  its input, where something below it is trained. Its frozen weights take none.
- An adapter: `2 r (inputs + outputs)` a token forwards, as much for its own weights' gradients, and `2 r outputs` and,
  where something below it is trained, `2 r inputs` for the gradients of its inputs.
- Attention: `4 h` for every pair of a query and a key that it may look at, h being heads x width of a head, and `8 h`
  backwards. A text token looks at itself and what is before it in its own row: `T (T + 1) / 2` pairs a row. A sliding
  window is not taken into account; no row is longer than the released models' 4,096 tokens.
- The output head: `2 V D` for every supervised token, and as much backwards.

Not counted is what another way of computing would spare: padding between rows, keys behind a mask, activations that are
recomputed, weights that are unpacked; nor is element-wise work. Llama's vision tower runs four tiles whatever the
picture, since each of them looks at all others; the layers that cross-attend see the picture's own tiles alone.

Source: `2 w` and `4 w` a token as in Kaplan et al. 2020 (arXiv 2001.08361, section 2.1); model FLOP utilisation,
without recomputation, as in Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, appendix B). `tests/forecast/test_flops.py`
holds the sums against torch's own counter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.layers import CHANNELS, LinearLayer, linear_layers
from inft.forecast.weights import adapted_layers
from inft.models.targets import LAYOUTS


@dataclass(frozen=True)
class BatchContent:
    """What a micro-batch holds.

    Attributes:
        lengths: tokens of each row, the picture's included, padding not.
        tiles: of all pictures together; on Llama those of the grid, not the empty ones that fill up to four.
        supervised: tokens that carry the loss.
    """

    lengths: tuple[int, ...]
    tiles: int
    supervised: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Of all rows together."""
        return sum(self.lengths)


@dataclass(frozen=True)
class Operations:
    """Operations of one pass, by what they are spent on."""

    vision: float
    """Linear layers of the vision tower, and its patches."""
    tower_attention: float
    """Attention within the vision tower."""
    projector: float
    text: float
    """Linear layers of the language model."""
    text_attention: float
    """Text that looks at text."""
    cross_attention: float
    """Text that looks at the picture (Llama)."""
    head: float

    @property
    def total(self) -> float:
        """All of them."""
        of_picture = self.vision + self.tower_attention + self.projector
        return of_picture + self.text + self.text_attention + self.cross_attention + self.head


class ModelFlop:
    """The operations of one configuration, as above.

    Args:
        config: adapters and trained biases are used.
        architecture: of the model.
    """

    def __init__(self, config: Config, architecture: Architecture) -> None:
        self._config, self._architecture = config, architecture

    def total(self, content: BatchContent) -> float:
        """Forward and backward."""
        return self.forward(content).total + self.backward(content).total

    def forward(self, content: BatchContent) -> Operations:
        """The forward pass."""
        return self._operations(self._rates[0], content)

    def backward(self, content: BatchContent) -> Operations:
        """The backward pass, without what is recomputed."""
        return self._operations(self._rates[1], content)

    @cached_property
    def _rates(self) -> tuple[_Rates, _Rates]:
        return _Walk(self._config, self._architecture).rates()

    def _operations(self, rates: _Rates, content: BatchContent) -> Operations:
        vision, merged = self._architecture.vision, self._architecture.downsample**2
        of_tile = vision.patches_per_tile
        tiles = content.rows * vision.max_tiles or content.tiles
        keys = content.tiles * of_tile / merged
        return Operations(
            vision=tiles * (of_tile * rates["vision"] + (of_tile - vision.class_tokens) * rates["patch"]),
            tower_attention=tiles * of_tile * of_tile * (vision.max_tiles or 1) * rates["tower_pair"],
            projector=keys * rates["projector"],
            text=content.tokens * rates["text"] + keys * rates["keys"],
            text_attention=sum(length * (length + 1) / 2 for length in content.lengths) * rates["text_pair"],
            # Every row's picture is taken to be of as many tiles as they are on average.
            cross_attention=content.tokens * keys / content.rows * rates["cross_pair"],
            head=content.supervised * rates["head"],
        )


_Unit = Literal["vision", "patch", "tower_pair", "projector", "text", "keys", "text_pair", "cross_pair", "head"]
"""What operations are counted for: a patch's token in the tower, a patch on its way in, a picture's token in the
projector, a text's token, a picture's token that is attended to, pairs of a query and a key, a supervised token.
"""
_Rates = dict[_Unit, float]
"""Operations of one pass for one of each."""


class _Walk:
    """From the picture to the loss, layer by layer, with an eye on where the first trained number lies.

    Throughout, `below` is whether anything is trained below a layer, so that its input needs a gradient.
    """

    def __init__(self, config: Config, architecture: Architecture) -> None:
        self._architecture = architecture
        self._layout = LAYOUTS[architecture.family]
        self._rank = config.lora.r
        self._all_biases = config.lora.bias == "all"
        self._adapted = frozenset(adapted_layers(architecture, config.target_modules, config.lora.scope))
        self._layers: dict[str, dict[str, LinearLayer]] = {}
        for layer in linear_layers(architecture):
            block, _, name = layer.path.rpartition(".")
            block = block.removesuffix(".self_attn").removesuffix(".cross_attn").removesuffix(".mlp")
            self._layers.setdefault(block, {})[name] = layer
        self._forward: _Rates = dict.fromkeys(get_args(_Unit), 0.0)
        self._backward: _Rates = dict.fromkeys(get_args(_Unit), 0.0)

    def rates(self) -> tuple[_Rates, _Rates]:
        """Of the forward and of the backward pass."""
        self._text(self._projector(self._vision()))
        return self._forward, self._backward

    def _vision(self) -> bool:
        vision, forward, backward = self._architecture.vision, self._forward, self._backward
        forward["patch"] = 2 * CHANNELS * vision.patch_pixels**2 * vision.hidden
        below = self._all_biases  # those of the first norms, if not of the patches
        for block, layers in self._layers.items():
            if not block.startswith(f"{self._layout.vision}."):
                continue
            looking = self._attend(layers, below, below, "vision", "vision")
            forward["tower_pair"] += 4 * vision.hidden
            backward["tower_pair"] += 8 * vision.hidden * looking
            below = self._apply([layers.get("out_proj") or layers["o_proj"]], looking, "vision")
            below = self._apply([layers["fc1"]], below, "vision")
            below = self._apply([layers["fc2"]], below, "vision")
        return below

    def _projector(self, below: bool) -> bool:
        for layer in linear_layers(self._architecture):
            if self._layout.group(layer.path) == "projector":
                below = self._apply([layer], below, "projector")
        return below

    def _text(self, of_picture: bool) -> None:
        text, forward, backward = self._architecture.text, self._forward, self._backward
        width = text.heads * text.head_dim
        below = of_picture and not text.cross_layers  # Aya's pictures are among the text's tokens
        for number in range(text.layers):
            layers = self._layers[f"{self._layout.language}.layers.{number}"]
            crossing = number in text.cross_layers
            looking = self._attend(
                layers, below, of_picture if crossing else below, "text", "keys" if crossing else "text"
            )
            if crossing:
                forward["cross_pair"] += 4 * width
                backward["cross_pair"] += 8 * width * looking
            else:
                forward["text_pair"] += 4 * width
                backward["text_pair"] += 8 * width * looking
            attended = self._apply([layers["o_proj"]], looking, "text")
            # Aya's attention and MLP lie side by side, Llama's one above the other.
            beside = below if self._architecture.family == "aya" else attended
            inner = self._apply([layers["gate_proj"], layers["up_proj"]], beside, "text")
            below = self._apply([layers["down_proj"]], inner, "text") or attended
        forward["head"] = 2 * text.vocabulary * text.hidden
        backward["head"] = forward["head"] * below

    def _attend(self, layers: dict[str, LinearLayer], below: bool, of_keys: bool, place: _Unit, keys: _Unit) -> bool:
        """Queries, keys and values; returns whether a gradient goes back through the attention."""
        queries = self._apply([layers["q_proj"]], below, place)
        return self._apply([layers["k_proj"], layers["v_proj"]], of_keys, keys) or queries

    def _apply(self, layers: Iterable[LinearLayer], below: bool, place: _Unit) -> bool:
        """Layers that read the same input; returns whether anything is trained below what comes out of them."""
        trained = below
        for layer in layers:
            forward, backward = 2 * layer.weights, 2 * layer.weights * below
            if layer in self._adapted:
                inputs, outputs = 2 * self._rank * layer.inputs, 2 * self._rank * layer.outputs
                forward += inputs + outputs
                backward += inputs + outputs + outputs + inputs * below
                trained = True
            trained |= self._all_biases and layer.bias
            self._forward[place] += forward
            self._backward[place] += backward
        return trained
