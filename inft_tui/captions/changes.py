"""What has changed between two captions, by words, and by characters where a script has no blanks between words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from inft_tui.display.spans import Line, Span

ADDED, GONE = "added", "gone"
"""Roles of what only one of the two has."""

MOST_WORDS = 400
"""Compared at the most: it takes the square of their number."""

# Kana, ideographs and what belongs to them, and the scripts of south-east Asia that are written without blanks.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORDS = re.compile(
    rf"[{_UNSPACED}\U00020000-\U0003ffff][\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u3099\u309a]*"
    rf"|\s+|[^\s{_UNSPACED}\U00020000-\U0003ffff]+"
)


def words_of(text: str) -> list[str]:
    """`text` in pieces that are words, blanks, or single characters of scripts without blanks.

    >>> words_of("ein Haus, 東京 2025")
    ['ein', ' ', 'Haus,', ' ', '東', '京', ' ', '2025']
    """
    return _WORDS.findall(text)


def changed(before: str, after: str) -> tuple[Line, Line]:
    """Both texts, each with what the other does not have in a role of its own.

    >>> changed("a red car", "a blue car")[1]
    (('a ', 'text'), ('blue', 'added'), (' car', 'text'))
    """
    old, new = words_of(before), words_of(after)
    if max(len(old), len(new)) > MOST_WORDS:
        return ((before, "text"),), ((after, "text"),)
    was: list[Span] = []
    now: list[Span] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        was += _span(old[i1:i2], "text" if kind == "equal" else GONE)
        now += _span(new[j1:j2], "text" if kind == "equal" else ADDED)
    return tuple(was), tuple(now)


def _span(words: Sequence[str], role: str) -> list[Span]:
    text = "".join(words)
    return [(text, role)] if text else []
