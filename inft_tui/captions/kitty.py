"""Pictures in full resolution on terminals that know kitty's graphics protocol, by its Unicode placeholders.

The picture is sent once, under a number. Cells that hold the placeholder character in the colour of that number, with
marks for row and column, then show their part of it; so a drawing is text like any other, and scrolls and is erased
like it. https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from inft_tui.captions.mosaic import Mosaic

if TYPE_CHECKING:
    from PIL.Image import Image

PLACEHOLDER = "\U0010eeee"
CHUNK = 4096
"""Of base64 in one sequence, as the protocol has it."""
CELL_PIXELS = (10, 20)
"""About what a cell has on a screen of today; more would be sent for nothing."""
MARKS = tuple(
    map(
        chr,
        (
            *(0x0305, 0x030D, 0x030E, 0x0310, 0x0312, 0x033D, 0x033E, 0x033F, 0x0346, 0x034A, 0x034B, 0x034C, 0x0350),
            *(0x0351, 0x0352, 0x0357, 0x035B, *range(0x0363, 0x0370), *range(0x0483, 0x0488), 0x0592, 0x0593, 0x0594),
            *(0x0595, 0x0597, 0x0598, 0x0599, 0x059C, 0x059D, 0x059E, 0x059F, 0x05A0, 0x05A1, 0x05A8, 0x05A9, 0x05AB),
            *(0x05AC, 0x05AF, 0x05C4, 0x0610, 0x0611, 0x0612, 0x0613, 0x0614, 0x0615, 0x0616, 0x0617, 0x0657, 0x0658),
            *(0x0659, 0x065A, 0x065B, 0x065D, 0x065E, *range(0x06D6, 0x06DD), 0x06DF, 0x06E0, 0x06E1, 0x06E2, 0x06E4),
        ),
    )
)
"""What stands for 0, 1, 2 and so on: the first of the protocol's list of marks."""


def size_in_cells(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Columns and rows for a picture of `width` x `height` pixels in a place of so many cells, twice as high as wide.

    >>> size_in_cells(480, 270, 40, 40), size_in_cells(100, 400, 40, 10)
    ((40, 11), (5, 10))
    """
    scale = min(columns / width, 2 * rows / height)
    return max(1, round(width * scale)), max(1, round(height * scale / 2))


def transmission(image: Image, number: int, columns: int, rows: int) -> str:
    """What sends the picture under a number below 2**24, to be shown in so many cells wherever placeholders are."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = b64encode(file.getvalue()).decode("ascii")
    head = f"a=T,U=1,i={number},c={columns},r={rows},f=100,q=2,"
    return "".join(_chunks(data, head))


def deletion(number: int) -> str:
    """What has the terminal forget a picture."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


def placeholders(number: int, columns: int, rows: int) -> Mosaic:
    """The cells that show it; each names its row and column, since a drawing may begin with any of them."""
    style = Style(color=Color.from_rgb(number >> 16, number >> 8 & 0xFF, number & 0xFF))
    across = range(min(columns, len(MARKS)))
    return tuple(
        (Segment("".join(f"{PLACEHOLDER}{MARKS[row]}{MARKS[column]}" for column in across), style),)
        for row in range(min(rows, len(MARKS)))
    )


def _chunks(data: str, head: str) -> Iterator[str]:
    starts = range(0, len(data), CHUNK)
    for start in starts:
        more = int(start + CHUNK < len(data))
        yield f"\x1b_G{head if start == 0 else ''}m={more};{data[start : start + CHUNK]}\x1b\\"
