"""Text for terminals that show ASCII only: every character becomes as many of ASCII as it has columns."""

from __future__ import annotations

from rich.cells import get_character_cell_size

_LOOKS_LIKE = {
    "…": "~",
    "·": ".",
    "•": "*",
    "●": "*",
    "◐": "o",
    "○": "o",
    "✓": "+",
    "✗": "x",
    "■": "#",
    "▲": "!",
    "▶": ">",
    "▸": ">",
    "◂": "<",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "─": "-",
    "━": "=",
    "│": "|",
    "┃": "|",
    "▏": "|",
    "–": "-",
    "—": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "×": "x",
    "°": "o",
    "µ": "u",
    " ": " ",
}


def to_ascii(text: str) -> str:
    """`text` in ASCII, of the same width; escape sequences stay.

    >>> to_ascii("loss 0.5 … ශ්‍රී 写真 ●")
    'loss 0.5 ~ ?? ???? *'
    """
    return text if text.isascii() else "".join(map(_ascii, text))


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    return _LOOKS_LIKE.get(character) or "?" * get_character_cell_size(character)
