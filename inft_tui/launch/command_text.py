"""A command as a shell takes it, on one line or on as many as the screen needs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.cells import cell_len

_WITH_A_VALUE = ("--profile", "--set")
_GOES_ON = "\\"


def command_text(words: Sequence[str]) -> str:
    """On one line."""
    return shlex.join(words)


def command_lines(words: Sequence[str], columns: int, margin: str = "") -> list[str]:
    r"""In `columns`, such that all of it can be copied and pasted; options stay with their values.

    Where a line ends a backslash says that the command goes on. A word that is too long for a line is in pieces, of
    which all but the first stand at the left edge: a blank before them would end the word.

    >>> command_lines(["inft-tui", "--profile", "aya", "--set", "sft.lr=1e-4"], 28)
    ['inft-tui --profile aya \\', '  --set sft.lr=1e-4']
    >>> command_lines(["inft-tui", "--set", "sft.note=a long one"], 20)
    ['inft-tui \\', '  --set sft.note=a\\', "' long one'"]
    """
    lines, at = [f"{margin}{shlex.quote(words[0])}"], 1
    while at < len(words):
        option = f"{words[at]} " if words[at] in _WITH_A_VALUE and at + 1 < len(words) else ""
        at += bool(option)
        part = f"{option}{shlex.quote(words[at])}"
        # Room for a blank and the backslash.
        if cell_len(lines[-1]) + 1 + cell_len(part) + 2 <= columns:
            lines[-1] += f" {part}"
        else:
            lines[-1] += f" {_GOES_ON}"
            lines += _in_pieces(f"{margin}  {option}", words[at], columns)
        at += 1
    return lines


def _in_pieces(before: str, word: str, columns: int) -> list[str]:
    """A word behind what goes before it, in as few lines as its quotes allow."""
    room = columns - cell_len(before)
    # Room for what may come behind the word: a blank and a backslash.
    if cell_len(shlex.quote(word)) + 2 <= room or columns < 12:
        return [before + shlex.quote(word)]
    length = 1
    while length < len(word) - 1 and cell_len(shlex.quote(word[: length + 1])) + 1 <= room:
        length += 1
    rest = word[length:]
    return [f"{before}{shlex.quote(word[:length])}{_GOES_ON}", *_in_pieces("", rest, columns)]
