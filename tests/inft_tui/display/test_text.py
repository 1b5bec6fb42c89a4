from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from inft_tui.display.line_edit import LineEdit
from inft_tui.display.plain_text import to_ascii
from inft_tui.display.spans import Line, difference, fit, joined, width

SOME = "abc …●✓─▁ශ්‍රී写真é한"


@pytest.mark.parametrize("seed", range(20))
def test_ascii_takes_as_many_columns(seed: int) -> None:
    text = "".join(random.Random(seed).choices(SOME, k=30))
    plain = to_ascii(text)
    assert plain.isascii()
    assert len(plain) == sum(cell_len(character) for character in text)


def test_escape_sequences_pass_through_ascii() -> None:
    assert to_ascii("\x1b[1;38;5;75m●\x1b[0m") == "\x1b[1;38;5;75m*\x1b[0m"


@pytest.mark.parametrize("columns", range(12))
def test_a_line_is_fitted_to_the_column(columns: int) -> None:
    line: Line = (("写真 ", "text"), ("loss 3.1", "dim"))
    assert width(fit(line, columns, "text")) == columns


def test_what_is_at_the_right_goes_where_there_is_no_room() -> None:
    left, right = (("left", "text"),), (("right", "dim"),)
    assert joined(left, right, 12, "bar") == (("left", "text"), ("   ", "bar"), ("right", "dim"))
    assert joined(left, right, 8, "bar") == (("left", "text"), ("    ", "bar"))


@pytest.mark.parametrize("seed", range(50))
def test_the_difference_covers_every_changed_column_and_ends_at_changed_ones(seed: int) -> None:
    chance = random.Random(seed)
    old = [chance.choice("ab写") for _ in range(10)]
    new = [chance.choice("ab写") if chance.random() < 0.2 else character for character in old]
    spans: list[Line] = [tuple((character, "text") for character in line) for line in (old, new)]
    cells = [[(c, at) for c in line for at in range(cell_len(c))] for line in (old, new)]
    found = difference(spans[0], spans[1])
    if old == new:
        assert found is None
        return
    assert found is not None
    first, behind = found
    assert cells[0][:first] == cells[1][:first]
    if len(cells[0]) == len(cells[1]):
        assert cells[0][behind:] == cells[1][behind:]
        assert cells[0][first] != cells[1][first]


def test_a_change_of_role_is_a_difference() -> None:
    assert difference((("abc", "text"),), (("a", "text"), ("b", "dim"), ("c", "text"))) == (1, 2)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (["left", "left", "backspace"], "one wo", 4),
        (["home", "delete"], "ne two", 0),
        (["ctrl+w"], "one ", 4),
        (["ctrl+w", "ctrl+w"], "", 0),
        (["left", "left", "ctrl+u"], "wo", 0),
        (["home", "right", "ctrl+k"], "o", 1),
        (["end", "right", "delete"], "one two", 7),
        (["home", "left", "backspace"], "one two", 0),
    ],
)
def test_editing(keys: list[str], text: str, cursor: int) -> None:
    edit: LineEdit | None = LineEdit().typed("one two")
    for key in keys:
        assert edit is not None
        edit = edit.pressed(key)
    assert edit == LineEdit(text, cursor)


def test_pasted_line_ends_are_blanks_and_other_keys_mean_nothing() -> None:
    assert LineEdit().typed("a\nb\x1b") == LineEdit("a b ", 4)
    assert LineEdit("a", 1).pressed("f5") is None
