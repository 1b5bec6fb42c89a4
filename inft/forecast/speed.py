"""How long a way of doing steps takes, for comparing it with another: a roofline with measured constants.

The constants are of one H200 (torch 2.11, `benchmarks/forecast.py`). On another card every time differs and most of the
ratios hold; nothing but ratios is shown to a person.
"""

from __future__ import annotations

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.choice import Choice, with_choice
from inft.forecast.layers import linear_layers
from inft.forecast.lengths import LengthTable
from inft.forecast.weights import adapted_layers
from inft.models.targets import LAYOUTS

FLOP_PER_SECOND = 330e12
"""What the whole of a step reaches once the card is busy, element-wise work included."""
MASKED_FLOP_PER_SECOND = 130e12
"""What attention behind a dense mask over thousands of tokens reaches, as in Llama's vision tower."""
UNPACK_SECONDS = 2e-12
"""For one 4-bit weight, in every pass."""
LAUNCH_SECONDS = {"text": 5.0e-3, "text, held": 3.8e-3, "vision": 1.9e-3, "vision, frozen": 0.6e-3}
"""What the processor takes to start a layer's kernels, per pass; with few rows the card waits for that."""


def seconds_per_sample(config: Config, architecture: Architecture, lengths: LengthTable, choice: Choice) -> float:
    """Seconds that one row takes, forward and backward.

    A frozen base costs `2 N` operations per token in the forward pass and as many in the backward pass, recomputation
    `2 N` again; attention `4 T h` per token and layer, two to two and a half times that backwards.

    Args:
        config: adapters and dtype are used.
        architecture: of the model.
        lengths: of the rows; a micro-batch is as long as its longest row is on average.
        choice: what is asked about.
    """
    config = with_choice(config, choice)
    text, vision = architecture.text, architecture.vision
    layout = LAYOUTS[architecture.family]
    weights = dict.fromkeys(("language", "vision", "projector", "other"), 0)
    for layer in linear_layers(architecture):
        weights[layout.group(layer.path)] += layer.weights
    adapted = adapted_layers(architecture, config.target_modules, config.lora.scope)
    groups = {layout.group(layer.path) for layer in adapted}
    again = 1 if choice.recompute else 0
    passes = 2 + again
    trained = "vision" in groups or config.lora.bias == "all"
    vision_passes = passes if trained else 1
    rows = choice.micro_batch
    length = expected_longest(lengths, rows)
    tokens = rows * length
    tiles = rows * (vision.max_tiles or lengths.mean_tiles)
    patches = tiles * vision.patches_per_tile
    reach = vision.patches_per_tile * (vision.max_tiles or 1)
    vision_layers = vision.layers + vision.global_layers
    operations = (
        2 * weights["language"] * tokens * passes
        + 4 * length * text.hidden * text.layers * tokens * (passes + 1)
        + 2 * weights["vision"] * patches * vision_passes
        + 2 * weights["projector"] * patches / architecture.downsample**2 * vision_passes
    )
    looking = 4 * reach * vision.hidden * vision_layers * patches * (vision_passes + (1.5 if trained else 0))
    unpacked = 0 if choice.hold_dequantized or not config.qlora.load_in_4bit else sum(weights.values())
    rate = MASKED_FLOP_PER_SECOND if vision.max_tiles else FLOP_PER_SECOND
    card = operations / FLOP_PER_SECOND + looking / rate + unpacked * passes * UNPACK_SECONDS
    per_text_layer = LAUNCH_SECONDS["text, held" if choice.hold_dequantized else "text"]
    per_vision_layer = LAUNCH_SECONDS["vision" if trained else "vision, frozen"]
    launches = text.layers * passes * per_text_layer + vision_layers * vision_passes * per_vision_layer
    return max(card, launches) / rows


def expected_longest(lengths: LengthTable, rows: int) -> float:
    """Mean length of the longest of `rows` rows drawn at random, each class's rows taken as long as their mean."""
    total, below, mean = lengths.rows, 0.0, 0.0
    for one in sorted(lengths.classes, key=lambda tiles: tiles.total_tokens / tiles.rows):
        up_to = below + one.rows / total
        mean += one.total_tokens / one.rows * (up_to**rows - below**rows)
        below = up_to
    return mean
