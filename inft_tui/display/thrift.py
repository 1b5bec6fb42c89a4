"""A drawing in fewer bytes: what the terminal already does is not said again.

Textual states colours and attributes anew for every run of cells and takes them back after it. A chart of 160x45 cells
in full colour is 78 kB that way, of which 65 kB say nothing new.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

_Style: TypeAlias = tuple[str, str, tuple[str, ...]]
"""Colour of the text, colour behind it, and everything else, as the numbers that switch them on."""

_STYLED = re.compile(r"\x1b\[([\d;]*)m")
_UNSEEN = re.compile(r"(?:\x1b\[\d*(?:;\d+)?H|[\r\n])*")
_PLAIN: _Style = ("39", "49", ())
_SHOWN_ON_BLANKS = frozenset({"4", "5", "6", "7", "9", "21", "51", "52", "53"})
_OFF = frozenset({*map(str, range(22, 30)), "50", "54", "55", "59", "65", "75"})


def thrifty(drawing: str) -> str:
    """The same drawing; like the one given it begins and ends with plain text in the terminal's own colours."""
    parts = _STYLED.split(drawing)
    wanted = sent = _PLAIN
    result: list[str] = []
    for text, numbers in zip(parts[::2], [*parts[1::2], "0"], strict=True):
        if text:
            if wanted != sent and _UNSEEN.fullmatch(text) is None:
                blank = not text.strip(" ") and wanted[1] == sent[1]
                if not (blank and _SHOWN_ON_BLANKS.isdisjoint((*wanted[2], *sent[2]))):
                    result.append(_change(sent, wanted))
                    sent = wanted
            result.append(text)
        changed = _after(wanted, numbers)
        if changed is None:
            return drawing
        wanted = changed
    if sent != _PLAIN:
        result.append("\x1b[0m")
    return "".join(result)


@lru_cache(1 << 12)
def _change(before: _Style, after: _Style) -> str:
    """What leads from one style to another."""
    if not set(before[2]) <= set(after[2]):
        return f"\x1b[{';'.join(('0', *after[2], *_colours(_PLAIN, after)))}m"
    return f"\x1b[{';'.join((*(one for one in after[2] if one not in before[2]), *_colours(before, after)))}m"


def _colours(before: _Style, after: _Style) -> list[str]:
    return [new for old, new in zip(before[:2], after[:2], strict=True) if new != old]


@lru_cache(1 << 12)
def _after(before: _Style, numbers: str) -> _Style | None:
    """The style after such a sequence; None where it says something that is not understood here."""
    text, behind, others = before
    left = numbers.split(";")
    while left:
        number = left.pop(0)
        if number in ("", "0"):
            text, behind, others = _PLAIN
        elif number in ("38", "48"):
            length = {"2": 4, "5": 2}.get(left[0] if left else "")
            if length is None or len(left) < length:
                return None
            colour = ";".join((number, *left[:length]))
            del left[:length]
            text, behind = (colour, behind) if number == "38" else (text, colour)
        elif number in _OFF:
            return None
        elif len(number) > 1 and number[:-1] in ("3", "9"):
            text = number
        elif len(number) > 1 and number[:-1] in ("4", "10"):
            behind = number
        elif number not in others:
            others = (*others, number)
    return text, behind, others
