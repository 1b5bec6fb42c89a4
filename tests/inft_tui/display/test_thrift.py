from __future__ import annotations

import random
import re

from rich.color import ColorSystem
from rich.style import Style

from inft_tui.display.thrift import thrifty

TOKEN = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|([^\x1b])")
STYLES = [
    "#d7dde6 on #11151c",
    "#355576 on #11151c",
    "bold #6cb6ff on #1b222d",
    "reverse",
    "underline #355576 on #11151c",
    "bold",
    "color(9) on color(2)",
    "color(14)",
    "color(200) on color(17)",
    "dim",
    "",
]
TEXTS = ["a", " ", "   ", "⢀⡆", "x y", " z", "\n", "\x1b[5;7H", "\x1b[5;7Hq", "\x1b[12;1H  "]


def shown(drawing: str) -> tuple[list[tuple[object, ...]], object]:
    """What is put where and how it looks, worked out in the plainest way, and the style that is left."""
    text, behind, others = "39", "49", frozenset[str]()
    cells: list[tuple[object, ...]] = []
    for numbers, final, character in TOKEN.findall(drawing):
        if final != "m":
            seen = (behind, others - {"1", "2", "3"}) if character == " " else (text, behind, others)
            if character == " " and others & {"4", "7", "9"}:
                seen = (text, behind, others)
            cells.append((character, *seen) if character not in ("", "\n") else (character or numbers,))
            continue
        left = numbers.split(";")
        while left:
            one = left.pop(0)
            if one in ("38", "48"):
                count = 4 if left[0] == "2" else 2
                value = ";".join([one, *left[:count]])
                del left[:count]
                text, behind = (value, behind) if one == "38" else (text, value)
            elif one in ("", "0"):
                text, behind, others = "39", "49", frozenset()
            elif 30 <= int(one) <= 39 or 90 <= int(one) <= 97:
                text = one
            elif 40 <= int(one) <= 49 or 100 <= int(one) <= 107:
                behind = one
            else:
                others |= {one}
    return cells, (text, behind, others)


def test_it_looks_the_same() -> None:
    chance = random.Random(5)
    for _ in range(300):
        drawing = "".join(
            Style.parse(style).render(text, color_system=ColorSystem.TRUECOLOR) if style else text
            for text, style in ((chance.choice(TEXTS), chance.choice(STYLES)) for _ in range(20))
        )
        short = thrifty(drawing)
        assert shown(short)[0] == shown(drawing)[0]
        assert shown(short)[1] == shown("")[1]
        assert len(short) <= len(drawing)


def test_what_is_not_said_again() -> None:
    one, two = "\x1b[38;2;1;2;3;48;2;9;9;9m", "\x1b[38;2;4;5;6;48;2;9;9;9m"
    drawing = f"\x1b[1;1H{one}ab\x1b[0m{two}  \x1b[0m{one}c\x1b[0m\n\x1b[2;1H{two}d\x1b[0m"
    assert thrifty(drawing) == f"\x1b[1;1H{one}ab  c\n\x1b[2;1H\x1b[38;2;4;5;6md\x1b[0m"


def test_what_it_does_not_understand_it_leaves_alone() -> None:
    for drawing in ("\x1b[1mab\x1b[22mc\x1b[0m", "\x1b[38;9;1mab\x1b[0m", "\x1b[38mx"):
        assert thrifty(drawing) == drawing
