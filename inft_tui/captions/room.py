"""How the rows and columns are shared out: the list above, and below it the picture beside the captions of one row."""

from __future__ import annotations

import math
from dataclasses import dataclass

LIST_SHARE = 0.4
"""Of the rows, at the most, for the list."""
AROUND_LIST = 2
"""Its heading, and the line below it."""
LEAST_DETAIL_ROWS = 4
LEAST_TEXT_COLUMNS = 32
TEXT_SHARE = 0.4
"""Of the columns, at the least, for the captions of a row."""
LEAST_PICTURE_COLUMNS = 8
WIDEST = 16 / 9
"""A news photograph; what is wider is shown lower."""
BESIDE_PICTURE = 2
"""Blank columns: one to its left, one to its right."""


@dataclass(frozen=True)
class Room:
    """Who has how much.

    Attributes:
        list_rows: of the list, with what is around it; 0 = it is not shown.
        detail_rows: of what is below it; 0 = that is not shown.
        picture_columns: of the picture, without the blank ones; 0 = none is shown.
        picture_rows: the same.
    """

    list_rows: int
    detail_rows: int
    picture_columns: int = 0
    picture_rows: int = 0

    @property
    def entries(self) -> int:
        """Rows of the list itself, at least one."""
        return max(1, self.list_rows - AROUND_LIST)

    @property
    def left_columns(self) -> int:
        """Of the place for the picture."""
        return self.picture_columns + BESIDE_PICTURE if self.picture_columns else 0


def share(columns: int, rows: int, count: int, *, is_large: bool, most_cells: int | None) -> Room:
    """Shares a body of so many columns and rows out.

    Args:
        columns: of the body.
        rows: the same.
        count: of the rows that there are to list.
        is_large: whether one row of the corpus is to have all of it.
        most_cells: of a picture; 0 = none is shown, None = any number.
    """
    if not count or rows < AROUND_LIST + 2 + LEAST_DETAIL_ROWS:
        return Room(rows, 0)
    list_rows = 0 if is_large else max(AROUND_LIST + 2, min(count + AROUND_LIST, int(rows * LIST_SHARE)))
    height = rows - list_rows
    width = columns - max(LEAST_TEXT_COLUMNS, int(columns * TEXT_SHARE)) - BESIDE_PICTURE
    width = min(width, math.ceil(height * 2 * WIDEST))
    high = height
    if most_cells is not None and width > 0:
        scale = min(1.0, math.sqrt(most_cells / (width * height)))
        width, high = int(width * scale), int(height * scale)
    if width < LEAST_PICTURE_COLUMNS or high <= 0:
        return Room(list_rows, height)
    return Room(list_rows, height, width, high)
