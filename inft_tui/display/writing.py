"""Rows of cells as bytes for the terminal, so that nothing of what stood there before stays.

Of doubtful text (`inft_tui.display.columns`) nobody knows in which column it ends. So its place is made blank first,
everything else of its row is written where it belongs, and then the text, from where it begins. Whoever lays it out
has left as many columns for it as any terminal may need (`inft_tui.display.spans.reserved`).
"""

from __future__ import annotations

from itertools import accumulate

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from inft_tui.display.columns import is_doubtful, loose_runs


def written(strip: Strip, x: int, y: int, console: Console) -> str:
    """What shows `strip` from column `x` of row `y` on.

    Args:
        strip: the cells.
        x: column of the first one, from 0 at the left.
        y: row, from 0 at the top.
        console: whose colours are used.
    """
    segments = list(strip)
    runs = loose_runs([segment.text for segment in segments])
    if not runs:
        return _at(x, y) + strip.render(console)
    starts = list(accumulate((cell_len(segment.text) for segment in segments), initial=x))
    fixed: list[Segment] = []
    done = 0
    for first, behind in runs:
        fixed += [*segments[done:first], _blank(starts[behind] - starts[first], segments[first].style)]
        done = behind
    parts = [_at(x, y), Strip([*fixed, *segments[done:]]).render(console)]
    for first, behind in runs:
        parts += [_at(starts[first], y), Strip(segments[first:behind]).render(console)]
    return "".join(parts)


def holds_doubtful(strip: Strip) -> bool:
    """Whether any of its text is doubtful; such a strip is written whole or not at all."""
    return any(is_doubtful(segment.text) for segment in strip)


def _blank(columns: int, style: Style | None) -> Segment:
    """What is behind text of that style, without lines under it or through it."""
    ground = None if style is None else Style(color=style.color, bgcolor=style.bgcolor, reverse=style.reverse)
    return Segment(" " * columns, ground)


def _at(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
