"""Help: nothing of it is cut, and the marks are those that are drawn."""

from __future__ import annotations

from typing import get_args

import pytest

from inft_tui.charts.glyphs import Glyphs
from inft_tui.display.spans import Line, width
from inft_tui.help_lines import help_lines
from inft_tui.key_table import TABLE, Place
from inft_tui.keys import Keymap, shown_key


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def shown(place: Place, columns: int, rows: int, glyphs: Glyphs = Glyphs.BRAILLE) -> list[str]:
    return [plain(line) for line in help_lines(Keymap(), place, glyphs, columns, rows)]


@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize(("columns", "rows"), [(160, 42), (120, 33), (80, 21), (60, 15)])
def test_every_key_is_there_and_whole(place: Place, columns: int, rows: int) -> None:
    lines = help_lines(Keymap(), place, Glyphs.BRAILLE, columns, rows)
    assert max(width(line) for line in lines) <= columns
    words = " ".join(" ".join(plain(line) for line in lines).split())
    for row in TABLE:
        if row.where in (place, "everywhere"):
            assert all(shown_key(key) in words for key in row.keys)
            assert set(row.does.split()) <= set(words.split()), row.does


@pytest.mark.parametrize("place", [place for place in get_args(Place) if place not in ("chart", "compare")])
def test_at_120_by_36_all_keys_are_on_one_page(place: Place) -> None:
    assert len(shown(place, 120, 33)) <= 33


def test_names_for_a_keymap_where_there_is_room() -> None:
    assert any(
        "Save what is shown as a picture (SVG)" in line and "picture" in line[60:] for line in shown("runs", 90, 9)
    )


@pytest.mark.parametrize("place", ["monitor", "chart", "compare"])
@pytest.mark.parametrize("glyphs", list(Glyphs))
def test_the_marks_of_a_chart(place: Place, glyphs: Glyphs) -> None:
    lines = [line.split() for line in shown(place, 80, 20, glyphs)]
    meanings = {"checkpoint": "checkpoint", "gap": "finite", "seam": "Resumed", "evaluation": "evaluation"}
    for kind, word in meanings.items():
        assert any(line[:1] == [glyphs.value.marks[kind]] and word in line for line in lines), kind


def test_the_marks_of_the_parameters_and_none_where_there_are_none() -> None:
    text = "\n".join(shown("launch", 80, 20))
    assert "● " in text
    assert "○ " in text
    assert not any("Marks" in line for line in shown("logs", 80, 20))
