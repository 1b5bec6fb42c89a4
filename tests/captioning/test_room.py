"""What a row takes while it is generated, against the released models' own sizes."""

from __future__ import annotations

import pytest

from inft.captioning.room import can_hold, fitting_batch, row_bytes
from inft.forecast.architecture import architecture_of
from inft.models.released import RELEASED
from inft.params import FamilyName
from tests.processors import BOTH

KEY_AND_VALUE_BYTES = 32 * 2 * 8 * 128 * 2
"""Of a token in either model: 32 layers that attend to the text, 8 heads of 128 values, 16 bits."""

GIB = 1 << 30


@pytest.mark.parametrize("name", BOTH)
def test_a_token_more_takes_its_keys_and_values(name: FamilyName) -> None:
    architecture = architecture_of(name, RELEASED[name])

    def taken(**changes: int) -> int:
        sizes = {"tokens": 1000, "tiles": 4, "new_tokens": 96, "beams": 1} | changes
        return row_bytes(architecture, **sizes)

    assert taken(new_tokens=97) - taken() == KEY_AND_VALUE_BYTES
    assert taken(beams=3) == 3 * taken()
    assert taken(tokens=1001) - taken() >= KEY_AND_VALUE_BYTES
    assert taken(tiles=9) >= taken()


def test_a_card_takes_the_rows_that_it_has_room_for() -> None:
    assert [fitting_batch(card * GIB, 10 * GIB, 2 * GIB) for card in (11, 24, 80, 140, 500)] == [1, 4, 21, 39, 64]
    assert (can_hold(80 * GIB, 22 * GIB), can_hold(24 * GIB, 22 * GIB)) == (True, False)
