"""What has changed in a caption, and captions in lines: nothing is lost and no line is too long, in any script."""

from __future__ import annotations

import pytest

from inft_tui.captions.changes import ADDED, GONE, MOST_WORDS, changed
from inft_tui.captions.wrapping import wrapped
from inft_tui.display.spans import Line, width

CAPTIONS = (
    "Firefighters tackle a blaze at a warehouse in east London",
    "رجال الإطفاء يكافحون حريقا في مستودع شرق لندن",
    "لاہور میں بارش کے بعد سڑک پر پانی جمع ہو گیا",
    "दिल्ली में मतदान केंद्र के बाहर कतार में खड़े मतदाता",
    "ශ්‍රී ලංකාවේ කොළඹ නගරයේ වර්ෂාව",
    "東京で初雪を楽しむ子どもたち、公園には多くの家族連れが訪れた",
    "消防员周二晚上在伦敦东部的一个仓库扑灭大火 2025 London",
    "x" * 90,
    "   blanks   at\u3000both ends  ",
    "",
)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


@pytest.mark.parametrize("text", CAPTIONS)
@pytest.mark.parametrize("columns", [2, 7, 24, 200])
def test_all_of_it_is_there_and_no_line_is_too_long(text: str, columns: int) -> None:
    half = len(text) // 2
    lines = wrapped(((text[:half], "text"), (text[half:], "added")), columns)
    assert max(map(width, lines)) <= columns
    assert "".join("".join(map(plain, lines)).split()) == "".join(text.split())
    assert not any(plain(line)[:1].isspace() or plain(line)[-1:].isspace() for line in lines)


def test_it_breaks_between_words_and_keeps_marks_with_their_letters() -> None:
    assert [plain(line) for line in wrapped((("a red house there", "text"),), 9)] == ["a red", "house", "there"]
    pieces = [plain(line) for line in wrapped((("कतारमेंखड़ेमतदाता", "text"),), 4)]
    assert not any(piece[0] in "\u093e\u0947\u0902\u093c" for piece in pieces), pieces


@pytest.mark.parametrize("before", CAPTIONS)
@pytest.mark.parametrize("after", CAPTIONS[:7])
def test_changes_lose_nothing(before: str, after: str) -> None:
    was, now = changed(before, after)
    assert (plain(was), plain(now)) == (before, after)
    assert {role for _, role in was} <= {"text", GONE}
    assert {role for _, role in now} <= {"text", ADDED}
    if before == after:
        assert {role for _, role in now} == {"text"}


def test_characters_count_as_words_where_there_are_no_blanks() -> None:
    was, now = changed("東京の雪", "京都の雪")
    assert [text for text, role in was if role == GONE] == ["東"]
    assert [text for text, role in now if role == ADDED] == ["都"]


def test_what_is_too_long_is_not_compared() -> None:
    long = "word " * MOST_WORDS
    assert changed(long, long + "more") == (((long, "text"),), ((long + "more", "text"),))
