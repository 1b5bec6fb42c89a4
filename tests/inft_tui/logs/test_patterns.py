from __future__ import annotations

import random
import re

import pytest

from inft_tui.logs.patterns import LONGEST_MATCHED, BadPattern, matcher
from inft_tui.logs.shown import in_words

BLOCK = "one Error\ntwo\n\nthree ERROR error\nසිංහල É\n\x00\udcff end".encode("utf-8", "surrogateescape")


def found(typed: str, *, regex: bool = False, block: bytes = BLOCK) -> list[str]:
    lines = [block[start:].split(b"\n")[0] for start in matcher(typed, regex=regex).starts(block)]
    return [line.decode("utf-8", "replace") for line in lines]


@pytest.mark.parametrize(
    ("typed", "regex", "lines"),
    [
        ("error", False, ["one Error", "three ERROR error"]),
        ("ERROR", False, ["three ERROR error"]),
        ("t", False, ["two", "three ERROR error"]),
        ("e.*r", False, []),
        ("^t", True, ["two", "three ERROR error"]),
        ("error$", True, ["one Error", "three ERROR error"]),
        (r"\S+\s[Ee]", True, ["one Error", "three ERROR error", "\x00� end"]),
        ("හ", False, ["සිංහල É"]),
        ("é", False, ["සිංහල É"]),
        (r"\s", True, ["one Error", "three ERROR error", "සිංහල É", "\x00� end"]),
        ("end", False, ["\x00� end"]),
        ("nowhere", False, []),
        (r"[^z]+", True, ["one Error", "two", "three ERROR error", "සිංහල É", "\x00� end"]),
    ],
)
def test_lines_are_found_whole_and_by_themselves(typed: str, regex: bool, lines: list[str]) -> None:
    assert found(typed, regex=regex) == lines


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "nothing to look for"),
        ("(", "is no regular expression: missing )"),
        ("[a", "is no regular expression"),
        ("a{99999999999}", "is no regular expression"),
        ("(a+)+", "take for ever"),
        (r"(\w+\s?)*$", "take for ever"),
        ("((a*)b?){2,}", "take for ever"),
        ("((a|b)+c)*", "take for ever"),
    ],
)
def test_what_cannot_be_looked_for_is_a_sentence(typed: str, words: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(words)):
        matcher(typed, regex=True)


@pytest.mark.parametrize("typed", ["(a+)b+", r"\(a+\)+", "[(a+)]+b*", "[]a+]*", "(ab)+", "(a{2})+", "a+b+c*", "(a|b)+"])
def test_what_takes_no_time_is_not_refused(typed: str) -> None:
    matcher(typed, regex=True)


def test_plain_text_is_found_as_python_finds_it() -> None:
    luck = random.Random(3)
    for _ in range(300):
        block = bytes(luck.choices(b"abAB \n", k=luck.randrange(80)))
        typed = "".join(luck.choices("abA ", k=luck.randrange(1, 4)))
        expected, start = [], 0
        for line in block.decode().split("\n"):
            if typed in (line.lower() if typed == typed.lower() else line):
                expected.append(start)
            start += len(line) + 1
        assert list(matcher(typed).starts(block)) == expected, (block, typed)


def test_where_lines_are_shown_in_words_the_words_are_looked_through() -> None:
    block = b'{"event": "log", "global_step": 3, "loss": 2.5}\n{"event": "log", "global_step": 4, "loss": 2.5}\n'
    assert list(matcher("step 4", rendering=in_words).starts(block)) == [48]
    assert list(matcher("global_step", rendering=in_words).starts(block)) == []


def test_an_expression_is_tried_on_so_much_of_a_line_as_it_can_take_in_time() -> None:
    block = b"x" * 2 * LONGEST_MATCHED + b"needle\nneedle\n"
    assert list(matcher("nee+dle", regex=True).starts(block)) == [2 * LONGEST_MATCHED + 7]
    assert list(matcher("needle").starts(block)) == [0, 2 * LONGEST_MATCHED + 7]
