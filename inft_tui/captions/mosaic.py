"""A picture in cells of a terminal: two pixels to a cell where there are colours, else dots or letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from inft_tui.display.capabilities import Capabilities, Colours

if TYPE_CHECKING:
    from PIL.Image import Image

Mosaic: TypeAlias = tuple[tuple[Segment, ...], ...]
"""Rows of cells, all equally wide."""

UPPER_HALF = "▀"
SHADES = " ░▒▓█"
LETTERS = " .:-=+*#%@"
"""From dark to bright, on a dark ground."""
GREYS = (0, 8, 7, 15)
"""Of the sixteen colours, those that are grey on every terminal, from dark to bright."""
GREY_LEVELS = (0, 85, 170, 255)
FULL_COLOURS = 64
"""Of one picture in full colour: cells of the same two colours need not say them again."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character, by row and column."""
_BRAILLE = 0x2800
_CUBE = (0, 95, 135, 175, 215, 255)
"""Levels of the 6 x 6 x 6 colours from number 16 on; behind them come 24 greys."""


@dataclass(frozen=True)
class Canvas:
    """What pictures are drawn with.

    Attributes:
        colours: how many the terminal shows.
        unicode: whether it shows more than ASCII, and is meant to.
        braille: whether it shows braille characters.
        dark: whether its ground is dark, where there are no colours.
    """

    colours: Colours
    unicode: bool
    braille: bool
    dark: bool

    @classmethod
    def of(cls, terminal: Capabilities) -> Canvas:
        """What suits a terminal."""
        unicode = terminal.unicode and terminal.glyphs != "ascii"
        return cls(terminal.colours, unicode, terminal.glyphs == "braille", terminal.theme != "light")

    def pixels(self, columns: int, rows: int) -> tuple[int, int]:
        """How many square pixels so many cells can show, across and down."""
        fine = 2 if self._draws_dots else 1
        return columns * fine, rows * 2 * fine

    @property
    def _draws_dots(self) -> bool:
        return self.colours == "none" and self.unicode and self.braille

    def draw(self, image: Image) -> Mosaic:
        """A picture of no more than `pixels` in cells; its last row may be half empty, in the ground's own colour."""
        if self._draws_dots:
            return _dots(image, dark=self.dark)
        if self.colours == "none":
            ramp = SHADES if self.unicode else LETTERS
            return _letters(image, ramp if self.dark else ramp[::-1])
        numbers, colour = _in_colours(image, self.colours)
        return _halves(numbers, colour) if self.unicode else _blanks(numbers, colour)


def _in_colours(image: Image, colours: Colours) -> tuple[list[Sequence[int]], Callable[[int], Color]]:
    """Rows of numbers, and the colour that each of them stands for."""
    from PIL import Image as Images

    if colours == "truecolor":
        reduced = image.quantize(FULL_COLOURS, Images.Quantize.MEDIANCUT, dither=Images.Dither.NONE)
        table = reduced.getpalette() or []
        return _rows(reduced), cache(lambda number: Color.from_rgb(*table[3 * number : 3 * number + 3]))
    if colours == "256":
        reduced = image.quantize(palette=_palette(_256_colours()), dither=Images.Dither.NONE)
        return _rows(reduced), cache(lambda number: Color.from_ansi(16 + number))
    greys = [level for grey in GREY_LEVELS for level in (grey, grey, grey)]
    reduced = image.convert("L").convert("RGB").quantize(palette=_palette(greys), dither=Images.Dither.FLOYDSTEINBERG)
    return _rows(reduced), cache(lambda number: Color.from_ansi(GREYS[min(number, len(GREYS) - 1)]))


def _256_colours() -> list[int]:
    cube = [level for red in _CUBE for green in _CUBE for blue in _CUBE for level in (red, green, blue)]
    return cube + [8 + 10 * grey for grey in range(24) for _ in range(3)]


def _palette(colours: list[int]) -> Image:
    from PIL import Image as Images

    image = Images.new("P", (1, 1))
    image.putpalette(colours)
    return image


def _rows(image: Image) -> list[Sequence[int]]:
    data, width = image.tobytes(), image.width
    return [data[start : start + width] for start in range(0, len(data), width)]


def _halves(rows: Sequence[Sequence[int]], colour: Callable[[int], Color]) -> Mosaic:
    """Two rows of pixels to a row of cells: the upper one is the character, the lower one what is behind it."""

    @cache
    def style(upper: int, lower: int | None) -> Style:
        return Style(color=colour(upper), bgcolor=None if lower is None else colour(lower))

    mosaic: list[tuple[Segment, ...]] = []
    for at in range(0, len(rows), 2):
        upper = rows[at]
        lower: Sequence[int | None] = rows[at + 1] if at + 1 < len(rows) else [None] * len(upper)
        segments = []
        for (one, other), same in groupby(zip(upper, lower, strict=True)):
            count = len(list(same))
            segments.append(Segment((" " if one == other else UPPER_HALF) * count, style(one, other)))
        mosaic.append(tuple(segments))
    return tuple(mosaic)


def _blanks(rows: Sequence[Sequence[int]], colour: Callable[[int], Color]) -> Mosaic:
    """Every other row of pixels as what is behind blanks, for terminals that show ASCII only."""

    @cache
    def style(number: int) -> Style:
        return Style(bgcolor=colour(number))

    return tuple(
        tuple(Segment(" " * len(list(same)), style(number)) for number, same in groupby(row)) for row in rows[::2]
    )


def _letters(image: Image, ramp: str) -> Mosaic:
    """One character to two pixels, by how bright they are."""
    grey = image.convert("L").resize((image.width, max(1, image.height // 2)))
    steps = len(ramp)
    return tuple((Segment("".join(ramp[level * steps // 256] for level in row)),) for row in _rows(grey))


def _dots(image: Image, *, dark: bool) -> Mosaic:
    """Eight dots to a cell, each there or not; dithering makes up for the shades."""
    bits = image.convert("L").convert("1").convert("L")
    rows = _rows(bits)
    lit = 255 if dark else 0
    mosaic = []
    for top in range(0, len(rows), 4):
        cells = []
        for left in range(0, bits.width, 2):
            code = 0
            for row, pair in zip(rows[top : top + 4], _DOTS, strict=False):
                for level, bit in zip(row[left : left + 2], pair, strict=False):
                    code |= bit if level == lit else 0
            cells.append(chr(_BRAILLE + code))
        mosaic.append((Segment("".join(cells)),))
    return tuple(mosaic)
