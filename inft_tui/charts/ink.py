"""Tables of characters and dots that every plot of one kind shares."""

from __future__ import annotations

from functools import cache
from itertools import accumulate

from inft_tui.charts.cells import BLANK, Cell
from inft_tui.charts.glyphs import CURVES, Glyphs

LINE_STYLES = tuple(f"line-{place}" for place in range(CURVES))
BAND_STYLES = tuple(f"band-{place}" for place in range(CURVES))


@cache
def cells_by_mask(glyphs: Glyphs) -> list[list[Cell]]:
    """By owner (envelopes first, then curves) and mask."""
    bands = [[BLANK, *(Cell(char, style) for char in glyphs.value.band[1:])] for style in BAND_STYLES]
    lines = [
        [BLANK, *(Cell(char, style) for char in chars[1:])]
        for chars, style in zip(glyphs.value.line, LINE_STYLES, strict=True)
    ]
    return bands + lines


@cache
def dots_above(glyphs: Glyphs, height: int) -> list[list[int]]:
    """By column of dots in a cell, and dot: all dots above this one, a byte for each cell from the top."""
    dots = [
        [bit << (8 * row) for row in range(height) for bit in bits]  # from the top to the bottom
        for bits in glyphs.value.bits
    ]
    return [[*accumulate(column, initial=0)] for column in dots]
