"""How many rows are generated at a time, and whether 4-bit weights are held in 16 bits, for the memory there is."""

from __future__ import annotations

from inft.forecast.architecture import Architecture

ON_CPU = 8
"""A CPU computes; it does not wait for memory as a GPU does, and larger batches gain it little."""

MOST = 64
"""Rows; what a decoding step costs besides its rows is by then shared by enough of them."""

SHARE_FOR_ROWS = 0.6
"""Of the memory that the weights leave; the rest is for what is in use for a moment, and for fragments."""

SHARE_FOR_HOLDING = 0.4
"""Weights are held where they take no more of the free memory."""

BF16 = 2  # bytes

PREFILL_COPIES = 6
"""Copies of the widest layer's output that a prompt's pass has at once: gate, up, their product, and fp32 norms."""


def row_bytes(architecture: Architecture, tokens: int, tiles: int, new_tokens: int, beams: int) -> int:
    """What one row takes while it is generated, roughly and rather too much.

    Keys and values of all its tokens (Llama's cross-attending layers keep those of the picture's patches instead), the
    widest layer's values while the prompt passes through it, and the same of the vision tower.

    Args:
        architecture: sizes.
        tokens: of its prompt.
        tiles: of its picture.
        new_tokens: longest caption.
        beams: of the search.
    """
    text, vision = architecture.text, architecture.vision
    per_key = 2 * text.kv_heads * text.head_dim * BF16
    patches = max(tiles, vision.max_tiles) * vision.patches_per_tile
    crossing = len(text.cross_layers)
    cache = per_key * ((text.layers - crossing) * (tokens + new_tokens) + crossing * patches)
    prompt = PREFILL_COPIES * BF16 * text.intermediate * tokens
    picture = PREFILL_COPIES * BF16 * vision.intermediate * patches
    return beams * (cache + max(prompt, picture)) + beams * 4 * text.vocabulary


def fitting_batch(free_bytes: int, weight_bytes: int, bytes_of_a_row: int) -> int:
    """Rows at a time on a GPU.

    >>> fitting_batch(140 << 30, 22 << 30, 1 << 30), fitting_batch(24 << 30, 8 << 30, 1 << 30), fitting_batch(1, 2, 3)
    (64, 9, 1)
    """
    room = SHARE_FOR_ROWS * (free_bytes - weight_bytes)
    return max(1, min(MOST, int(room // bytes_of_a_row)))


def can_hold(free_bytes: int, weight_bytes: int) -> bool:
    """Whether 16-bit values of all weights, which take `weight_bytes`, leave enough for the rows."""
    return weight_bytes <= SHARE_FOR_HOLDING * free_bytes
