"""How many columns text may take, also where terminals do not agree on it.

They agree on letters, ideographs and most marks. They do not on the marks of Indic scripts that stand beside their
letter (none by Rich's table, a column each in tmux and xterm), on what a virama or a joiner makes one character of, on
emoji in sequences or newer than a terminal's tables, and on Hangul in parts. Such text is given as many columns as any
terminal may use, and is written by `inft_tui.display.writing`, so that it does not matter how many it does use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

JOINER, AS_EMOJI = "\u200d", "\ufe0f"
_AGREED = re.compile(
    r"[\x00-\u02ff\u0370-\u08ff\u2010-\u2064\u20a0-\u20bf\u2100-\u22ff\u2500-\u25ff\u2713-\u2718\u2800-\u28ff"
    r"\u3040-\u3096\u30a0-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""Nothing in here is doubtful; looking at each character takes longer."""
_VIRAMA = 9
"""Its canonical combining class."""
_MARKS = frozenset({"Mn", "Mc", "Me"})


@lru_cache(4096)
def is_doubtful(text: str) -> bool:
    """Whether terminals may differ in how many columns it takes.

    >>> is_doubtful("東京 loss 3.1 …"), is_doubtful("हिन्दी"), is_doubtful("👍🏽")
    (False, True, True)
    """
    return _AGREED.fullmatch(text) is None and any(_is_doubtful(character) for character in text)


@lru_cache(4096)
def columns_of(text: str) -> int:
    """Columns that it takes; where terminals differ, no fewer than on any of them.

    >>> columns_of("写真"), columns_of("की"), columns_of("क्ष")
    (4, 2, 2)
    """
    return sum(map(most_columns, text)) if is_doubtful(text) else cell_len(text)


@lru_cache(4096)
def most_columns(character: str) -> int:
    """Columns that a character takes on the terminal that gives it the most: 0, 1 or 2."""
    size = get_character_cell_size(character)
    if not _is_doubtful(character):
        return size
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        # The second adds a column to a narrow character before it.
        return 1 if character == AS_EMOJI else size
    if category in ("So", "Sk", "No", "Cn") or unicodedata.east_asian_width(character) in "WF":
        return 2
    return max(1, size)


def clusters(text: str) -> list[str]:
    """`text` in what a person sees as characters, as far as it must not be torn apart.

    >>> clusters("कीक्षa"), clusters("ශ්‍රී")
    (['की', 'क्ष', 'a'], ['ශ්\u200dරී'])
    """
    if text.isascii():
        return list(text)
    parts: list[str] = []
    joins = False
    for character in text:
        extends = _extends(character)
        if parts and (extends or joins):
            parts[-1] += character
        else:
            parts.append(character)
        # A virama joins letters, also where a joiner stands behind it; a blank it does not.
        joins = character == JOINER or (unicodedata.combining(character) == _VIRAMA and not character.isspace())
    return parts


def loose_runs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Which parts of a line only the terminal knows the columns of: of each run, its first part and the one behind it.

    A run begins with a doubtful part; the others of a sentence belong to it. Two blanks separate columns, so that what
    is behind them has a place of its own. Blanks at its end do not belong to it: there may be no room for them.

    >>> loose_runs(["en", "  ", "की ", "blue", " ", "  ", "3.1"])
    [(2, 4)]
    """
    runs: list[tuple[int, int]] = []
    first: int | None = None
    behind = 0
    for at, text in enumerate(texts):
        if first is not None and text.startswith("  "):
            runs.append((first, behind))
            first = None
        if first is None and is_doubtful(text):
            first = at
        if text.strip(" "):
            behind = at + 1
        if first is not None and text.endswith("  "):
            runs.append((first, behind))
            first = None
    return runs if first is None else [*runs, (first, behind)]


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in _MARKS
        or character == JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\u1160" <= character <= "\u11ff"
    )


@lru_cache(4096)
def _is_doubtful(character: str) -> bool:
    category = unicodedata.category(character)
    match category:
        case "Mc" | "Cn":
            return True
        case "Mn" | "Me":
            return unicodedata.combining(character) == _VIRAMA or character in "\ufe0e\ufe0f\u20e3"
        case "So" | "Sk" | "No":
            is_flag_letter = "\U0001f1e6" <= character <= "\U0001f1ff"
            is_ringed = "\u3248" <= character <= "\u324f"  # ambiguous by Unicode, wide in glibc
            return get_character_cell_size(character) != 1 or is_flag_letter or is_ringed
        case "Lo":
            is_part_of_hangul = "\u1100" <= character <= "\u11ff" or "\ua960" <= character <= "\ua97c"
            return is_part_of_hangul or get_character_cell_size(character) == 0
        case _:
            return character == JOINER
