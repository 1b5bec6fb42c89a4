"""Pictures of characters with styles by name: text in cells, and where two pictures differ."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple


class Cell(NamedTuple):
    """One character, and the name of its style."""

    char: str
    style: str


BLANK = Cell(" ", "blank")


class Changed(NamedTuple):
    """Cells of one row that are other ones now: `start` <= column < `stop`."""

    row: int
    start: int
    stop: int


def cells_of(text: str, style: str, room: int | None = None, ellipsis: str = "") -> list[Cell]:
    """`text` in cells, at most `room` of them; a wide character takes two, a mark upon one none of its own."""
    cells: list[Cell] = []
    for char in text:
        if unicodedata.combining(char) and cells and cells[-1].char:
            cells[-1] = Cell(cells[-1].char + char, style)
        elif not char.isprintable() or unicodedata.category(char).startswith("M"):
            cells.append(Cell("?", style))
        else:
            cells.append(Cell(char, style))
            if unicodedata.east_asian_width(char) in "WF":
                cells.append(Cell("", style))
    if room is None or len(cells) <= room:
        return cells
    kept = cells[: max(0, room - 1)]
    if cells[len(kept)].char == "" and kept:
        kept[-1] = Cell(" ", style)  # half of a wide one
    return kept + [Cell(char, style) for char in ellipsis[: max(0, room)]]


def difference(old: Sequence[Cell], new: Sequence[Cell]) -> tuple[int, int] | None:
    """The shortest span outside of which two rows of one length are the same."""
    if old == new:
        return None
    places = [place for place, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    return places[0], places[-1] + 1


def differences(old: Sequence[Sequence[Cell]], new: Sequence[Sequence[Cell]]) -> list[Changed]:
    """What of a picture is another one, for two of one size."""
    return [
        Changed(row, *found)
        for row, (one, other) in enumerate(zip(old, new, strict=True))
        if (found := difference(one, other)) is not None
    ]
