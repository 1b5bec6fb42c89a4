from __future__ import annotations

from itertools import product

from inft_tui.captions.room import LEAST_TEXT_COLUMNS, Room, share

SIZES = product((1, 20, 60, 80, 160, 300), (1, 5, 15, 21, 42, 97), (0, 1, 7, 10_000), (0, 480, None), (False, True))


def test_nobody_has_more_than_there_is() -> None:
    for case in SIZES:
        columns, rows, count, most_cells, is_large = case
        room = share(columns, rows, count, is_large=is_large, most_cells=most_cells)
        assert room.list_rows + room.detail_rows == rows, case
        assert room.picture_rows <= room.detail_rows, case
        if room.picture_columns:
            assert columns - room.left_columns >= LEAST_TEXT_COLUMNS, case
            assert most_cells is None or 0 < room.picture_columns * room.picture_rows <= most_cells, case
        assert room.detail_rows == 0 or room.list_rows == 0 or room.list_rows >= 4, case


def test_the_usual_sizes() -> None:
    assert share(80, 21, 40, is_large=False, most_cells=1500) == Room(8, 13, 46, 13)
    assert share(60, 15, 40, is_large=False, most_cells=1500) == Room(6, 9, 26, 9)
    assert share(80, 21, 2, is_large=False, most_cells=0) == Room(4, 17)
    assert share(80, 21, 2, is_large=True, most_cells=0) == Room(0, 21)
