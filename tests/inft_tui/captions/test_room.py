from __future__ import annotations

import pytest

from inft_tui.captions.room import LEAST_TEXT_COLUMNS, Room, share


@pytest.mark.parametrize("columns", [1, 20, 60, 80, 160, 300])
@pytest.mark.parametrize("rows", [1, 5, 15, 21, 42, 97])
@pytest.mark.parametrize("count", [0, 1, 7, 10_000])
@pytest.mark.parametrize("most_cells", [0, 480, None])
@pytest.mark.parametrize("is_large", [False, True])
def test_nobody_has_more_than_there_is(
    columns: int, rows: int, count: int, most_cells: int | None, is_large: bool
) -> None:
    room = share(columns, rows, count, is_large=is_large, most_cells=most_cells)
    assert room.list_rows + room.detail_rows == rows
    assert room.picture_rows <= room.detail_rows
    if room.picture_columns:
        assert columns - room.left_columns >= LEAST_TEXT_COLUMNS
        assert most_cells is None or 0 < room.picture_columns * room.picture_rows <= most_cells
    assert room.detail_rows == 0 or room.list_rows == 0 or room.list_rows >= 4


def test_the_usual_sizes() -> None:
    assert share(80, 21, 40, is_large=False, most_cells=1500) == Room(8, 13, 46, 13)
    assert share(60, 15, 40, is_large=False, most_cells=1500) == Room(6, 9, 26, 9)
    assert share(80, 21, 2, is_large=False, most_cells=0) == Room(4, 17)
    assert share(80, 21, 2, is_large=True, most_cells=0) == Room(0, 21)
