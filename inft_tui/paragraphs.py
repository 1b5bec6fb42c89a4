"""Text in lines that stand beneath each other on a terminal; where nobody sees columns, lines stay as they are."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import TextIO

NARROWEST = 30
"""Columns below which broken lines would be harder to read than those that the terminal breaks."""

COMMAND = "inft-tui "
"""What a line begins with that is to be copied as a whole."""

_TOGETHER = re.compile(r"(?<=\d) (?=(?:[KMGT]iB|B|%|s)\b|%)|(?<=--set) ")
"""The blank between a number and its unit, and within an option."""

_HELD = "\N{NO-BREAK SPACE}"


def paragraph(text: str, stream: TextIO, *, first: str = "", rest: str | None = None) -> list[str]:
    """`text` between words, in as many lines as the terminal needs.

    Args:
        text: without line breaks.
        stream: where it goes.
        first: what the first line begins with; as many blanks as that the others, unless `rest` says more.
        rest: what the others begin with.
    """
    following = " " * len(first) if rest is None else rest
    columns = shutil.get_terminal_size().columns
    if not stream.isatty() or columns - len(following) < NARROWEST or text.startswith(COMMAND):
        return [first + text]
    lines = textwrap.wrap(
        _TOGETHER.sub(_HELD, text),
        columns,
        initial_indent=first,
        subsequent_indent=following,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_HELD, " ") for line in lines]


def indented(line: str, stream: TextIO) -> list[str]:
    """A line that may begin with blanks, which its other lines then begin with, too."""
    text = line.lstrip(" ")
    return paragraph(text, stream, first=line[: len(line) - len(text)]) or [""]
