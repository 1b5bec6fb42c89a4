"""How long a way of doing steps takes, for comparing it with another: a roofline with measured constants.

The constants are of one H200 (torch 2.11, `benchmarks/forecast.py`, `benchmarks/train_speed.py`). On another card every
time differs and most of the ratios hold; nothing but ratios is shown to a person.
"""

from __future__ import annotations

from dataclasses import replace

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.choice import Choice, with_choice
from inft.forecast.flops import BatchContent, ModelFlop, Operations
from inft.forecast.layer_activations import CompiledLayers, Tokens
from inft.forecast.layers import linear_layers
from inft.forecast.lengths import BatchShape, LengthTable
from inft.forecast.weights import adapted_layers
from inft.models.targets import LAYOUTS

LINEAR_FLOP_PER_SECOND = {"plain": 335e12, "compiled": 490e12}
"""What linear layers reach on a busy card, the element-wise work between them included."""
ATTENTION_FLOP_PER_SECOND = {"plain": 335e12, "masked tower": 130e12, "within rows": 216e12}
"""What attention reaches: sdpa; behind a dense mask over thousands of tokens, as in Llama's vision tower; and in pieces
of whatever length."""
UNPACK_SECONDS = 2e-12
"""For one 4-bit weight, in every pass."""
LAUNCH_SECONDS = {
    "plain": {"text": 5.0e-3, "text, held": 3.8e-3, "vision": 1.9e-3, "vision, frozen": 0.6e-3},
    "compiled": {"text": 1.6e-3, "text, held": 1.2e-3, "vision": 0.7e-3, "vision, frozen": 0.4e-3},
}
"""What the processor takes to start a layer's kernels, per pass; with few rows the card waits for that."""
MICRO_BATCH_SECONDS = {"plain": 0.0, "compiled": 0.03}
"""What a micro-batch takes whatever it holds, where launches are few: its kernels fill the card late, weights are read,
adapters are cast and their gradients added up. 15 ms between four rows and eight of Aya, 60 ms of Llama; in the plain
figures of launches it is contained."""

NOTHING = Operations(vision=0, tower_attention=0, projector=0, text=0, text_attention=0, cross_attention=0, head=0)


class Speed:
    """How long the rows of a run take.

    Args:
        config: adapters, dtype and the way through a step are used; not what a choice says.
        architecture: of the model.
        lengths: of the rows.
    """

    def __init__(self, config: Config, architecture: Architecture, lengths: LengthTable) -> None:
        self._config, self._architecture, self._lengths = config, architecture, lengths
        self._flop = ModelFlop(config, architecture)
        layout = LAYOUTS[architecture.family]
        self._weights = sum(layer.weights for layer in linear_layers(architecture))
        adapted = adapted_layers(architecture, config.target_modules, config.lora.scope)
        self._trains_vision = config.lora.bias == "all" or any(
            layout.group(layer.path) == "vision" for layer in adapted
        )
        self._kind = "compiled" if config.sft.torch_compile else "plain"

    def seconds_per_sample(self, choice: Choice) -> float:
        """Seconds that one row takes, forward and backward."""
        content = self._content(choice.micro_batch)
        forward, backward = self._flop.forward(content), self._flop.backward(content)
        card = sum(map(self._seconds, (forward, backward, self._again(choice, content, self._trained(forward)))))
        passes = 3 if choice.recompute else 2
        if self._config.qlora.load_in_4bit and not choice.hold_dequantized:
            card += self._weights * passes * UNPACK_SECONDS
        card += MICRO_BATCH_SECONDS[self._kind]
        return max(card, self._launches(choice, passes)) / choice.micro_batch

    def _content(self, rows: int) -> BatchContent:
        """A micro-batch as it is on average; where rows are padded, all of them are as long as its longest."""
        table = self._lengths
        length = table.mean_tokens if self._config.sft.padding_free else expected_longest(table, rows)
        supervised = sum(one.most_supervised * one.rows for one in table.classes) / table.rows
        return BatchContent((round(length),) * rows, round(rows * table.mean_tiles), round(rows * supervised))

    def _seconds(self, operations: Operations) -> float:
        linear = operations.vision + operations.projector + operations.text + operations.head
        of_text, of_tower = operations.text_attention + operations.cross_attention, operations.tower_attention
        if self._config.sft.padding_free:
            attention = (of_text + of_tower) / ATTENTION_FLOP_PER_SECOND["within rows"]
        else:
            masked = "masked tower" if self._architecture.vision.max_tiles else "plain"
            # Behind a padding mask all pairs of tokens are computed, not only those that a token may look at.
            attention = 2 * of_text / ATTENTION_FLOP_PER_SECOND["plain"] + of_tower / ATTENTION_FLOP_PER_SECOND[masked]
        return linear / LINEAR_FLOP_PER_SECOND[self._kind] + attention

    def _trained(self, forward: Operations) -> Operations:
        """What of the forward pass keeps anything, and is computed again where that is not kept."""
        if self._trains_vision:
            return forward
        return replace(forward, vision=0, tower_attention=0, projector=0)

    def _again(self, choice: Choice, content: BatchContent, trained: Operations) -> Operations:
        """What of the forward pass the backward pass does once more, `trained` at most."""
        if choice.recompute:
            return trained
        if not self._config.sft.torch_compile:
            return NOTHING
        shape = BatchShape(content.rows, max(content.lengths), content.tiles, content.supervised, content.tokens)
        tokens = Tokens.of(self._config, self._architecture, shape)
        layers = CompiledLayers(with_choice(self._config, choice), self._architecture, tokens)
        of_text, of_tower = layers.text_again(), layers.vision_again()
        crosses = bool(self._architecture.text.cross_layers) and layers.crossing_again().attention
        return Operations(
            vision=trained.vision * of_tower.products,
            tower_attention=trained.tower_attention * of_tower.attention,
            projector=0,
            text=trained.text * of_text.products,
            text_attention=trained.text_attention * of_text.attention,
            cross_attention=trained.cross_attention * crosses,
            head=0,
        )

    def _launches(self, choice: Choice, passes: int) -> float:
        seconds, vision = LAUNCH_SECONDS[self._kind], self._architecture.vision
        per_text_layer = seconds["text, held" if choice.hold_dequantized else "text"]
        per_vision_layer = seconds["vision" if self._trains_vision else "vision, frozen"]
        vision_passes = passes if self._trains_vision else 1
        of_vision = (vision.layers + vision.global_layers) * vision_passes * per_vision_layer
        return self._architecture.text.layers * passes * per_text_layer + of_vision


def expected_longest(lengths: LengthTable, rows: int) -> float:
    """Mean length of the longest of `rows` rows drawn at random, each class's rows taken as long as their mean."""
    total, below, mean = lengths.rows, 0.0, 0.0
    for one in sorted(lengths.classes, key=lambda tiles: tiles.total_tokens / tiles.rows):
        up_to = below + one.rows / total
        mean += one.total_tokens / one.rows * (up_to**rows - below**rows)
        below = up_to
    return mean
