"""An update puts the same on the screen as Textual's own, with fewer bytes."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from inft_tui.widgets.narrow_update import NarrowUpdate

PIECE = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[\d;]*m|(\n)|([^\x1b\n]+)")


def screen_after(written: str, width: int, height: int) -> list[str]:
    """The text on a screen that was full of dots."""
    rows = [["."] * width for _ in range(height)]
    y = x = 0
    for row, column, line_end, text in (match.groups() for match in PIECE.finditer(written)):
        if row:
            y, x = int(row) - 1, int(column) - 1
        elif line_end:
            y, x = y + 1, 0
        elif text:
            rows[y][x : x + len(text)] = text
            x += len(text)
    return ["".join(row) for row in rows]


def strip_of(text: str) -> Strip:
    return Strip([Segment(text[:3], Style(bold=True)), Segment(text[3:], Style(color="red"))], len(text))


def test_only_what_changed_is_sent() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    chops = [
        {0: strip_of("abcdefghij"), 10: strip_of("klmnopqrst")},
        {0: None, 10: strip_of("0123456789")},
        {0: None, 10: None},
    ]
    spans = [(0, 4, 6), (0, 8, 13), (1, 12, 20)]
    update = ChopsUpdate(chops, spans, [[10, 20]] * 3)
    narrow = NarrowUpdate.of(update).render_segments(console)
    assert screen_after(narrow, 20, 3) == ["....ef..ijklm.......", "............23456789", "." * 20]
    whole = update.render_segments(console)
    assert screen_after(whole, 20, 3) == ["abcdefghijklm.......", "..........0123456789", "." * 20]
    assert len(narrow) < len(whole)
