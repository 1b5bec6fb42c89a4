"""What a cell of a chart is drawn with: dots of a cell to a character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

CURVES = 8
"""Curves that can be told apart in one chart."""


@dataclass(frozen=True)
class GlyphSet:
    """A cell has `across` x `down` dots; `bits[column][row]` is a dot's bit in the cell's mask.

    Attributes:
        line: character by mask, one such row for each curve.
        band: character by mask for the envelope.
        key: what a curve's name begins with in the title, where its colour alone may not tell.
        point: what a value of a sparse curve is marked with, one for each curve.
        marks: by the kind of an event, on the axis.
    """

    across: int
    down: int
    bits: tuple[tuple[int, ...], ...]
    line: tuple[Sequence[str], ...]
    band: Sequence[str]
    key: tuple[str, ...]
    point: tuple[str, ...]
    marks: dict[str, str]
    horizontal: str
    vertical: str
    corner: str
    tick_x: str
    tick_y: str
    grid: str
    seam: str
    cursor: str
    ellipsis: str
    above: str
    below: str


_BOX = {"horizontal": "─", "vertical": "│", "corner": "└", "tick_x": "┬", "tick_y": "┤", "seam": "┊", "cursor": "│"}
_BRAILLE = tuple(chr(0x2800 + mask) for mask in range(256))
_HALVES = (" ", "▀", "▄", "█")
_ASCII_LINES = "*o+x#@%&"
_MARKS = {"gap": "×", "alert": "!", "seam": "┊", "resume": "┊", "checkpoint": "◆", "evaluation": "▴"}


class Glyphs(Enum):
    """What the terminal can draw with."""

    BRAILLE = GlyphSet(
        across=2,
        down=4,
        bits=((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)),
        line=(_BRAILLE,) * CURVES,
        band=_BRAILLE,
        key=("",) * CURVES,
        point=("•",) * CURVES,
        marks=_MARKS,
        grid="┈",
        ellipsis="…",
        above="▲",
        below="▼",
        **_BOX,
    )
    # No finer than the characters of the oldest code pages: fonts of a bare console have these and no quadrants.
    BLOCKS = GlyphSet(
        across=1,
        down=2,
        bits=((1, 2),),
        line=(_HALVES,) * CURVES,
        band=(" ", "░", "░", "░"),
        key=("",) * CURVES,
        point=("•",) * CURVES,
        marks={**_MARKS, "gap": "x", "checkpoint": "♦", "evaluation": "▲", "seam": "│", "resume": "│"},
        grid="·",
        ellipsis="~",
        above="▲",
        below="▼",
        **{**_BOX, "seam": "│"},
    )
    ASCII = GlyphSet(
        across=1,
        down=1,
        bits=((1,),),
        line=tuple((" ", marker) for marker in _ASCII_LINES),
        band=(" ", ":"),
        key=tuple(f"{marker} " for marker in _ASCII_LINES),
        point=tuple(_ASCII_LINES),
        marks={"gap": "x", "alert": "!", "seam": "|", "resume": "|", "checkpoint": "C", "evaluation": "^"},
        horizontal="-",
        vertical="|",
        corner="+",
        tick_x="+",
        tick_y="+",
        grid=" ",
        seam="|",
        cursor="|",
        ellipsis="~",
        above="^",
        below="v",
    )
