"""What a person types to find lines, and how blocks of lines are looked through for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol

from inft.wording import shown
from inft_tui.logs.shown import Rendering, as_is

LONGEST_MATCHED = 4096
"""Characters of a line that a regular expression is tried on: some expressions take the cube of that in time, and
Python cannot break one off."""

_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")
_BOUNDED = re.compile(r"\?|\{\d+(,\d+)?\}")


class BadPattern(Exception):
    """What was typed cannot be looked for; its text is a sentence that says why."""


class Matcher(Protocol):
    """Finds lines in a block of whole ones."""

    def starts(self, block: bytes) -> Iterator[int]:
        """Where in `block`, which holds whole lines, the lines begin that match, ascending."""
        ...


def matcher(typed: str, *, regex: bool = False, rendering: Rendering = as_is) -> Matcher:
    """What finds lines with `typed`. Capitals matter only if there are any in it.

    Args:
        typed: text, or a regular expression of Python's.
        regex: which of the two.
        rendering: how the log's lines are shown; other than as they are, what is shown is what is looked through.

    Raises:
        BadPattern: `typed` is empty or no regular expression, or one that could take for ever.
    """
    if not typed:
        raise BadPattern("There is nothing to look for yet.")
    if not regex and rendering is as_is and typed.isascii():
        return _Text(typed)
    search = _compiled(typed, regex=regex).search
    if rendering is as_is:
        return _RawLines(lambda text: search(text, 0, LONGEST_MATCHED) is not None)
    return LineMatcher(rendering, lambda text: search(text, 0, LONGEST_MATCHED) is not None)


def spans(typed: str, *, regex: bool = False) -> Callable[[str], list[tuple[int, int]]]:
    """What tells where in a line, as it is shown, `typed` was found.

    >>> spans("l")("hello"), spans("x*", regex=True)("axx")
    ([(2, 3), (3, 4)], [(1, 3)])

    Raises:
        BadPattern: as `matcher`.
    """
    if not typed:
        raise BadPattern("There is nothing to look for yet.")
    finditer = _compiled(typed, regex=regex).finditer
    return lambda text: [found.span() for found in finditer(text, 0, LONGEST_MATCHED) if found.end() > found.start()]


class Both:
    """Finds the lines that two matchers find.

    Args:
        first: the quicker one.
        second: asked only about blocks in which the first found any.
    """

    def __init__(self, first: Matcher, second: Matcher) -> None:
        self._first = first
        self._second = second

    def starts(self, block: bytes) -> Iterator[int]:
        """Where in `block`, which holds whole lines, the lines begin that match."""
        found = set(self._first.starts(block))
        return (start for start in self._second.starts(block) if start in found) if found else iter(())


class LineMatcher:
    """Tests every line as it is shown.

    Args:
        rendering: how lines are shown.
        matches: the test.
    """

    def __init__(self, rendering: Rendering, matches: Callable[[str], bool]) -> None:
        self._rendering = rendering
        self._matches = matches

    def starts(self, block: bytes) -> Iterator[int]:
        """Where in `block`, which holds whole lines, the lines begin that match."""
        start = 0
        for line in block.split(b"\n"):
            if line and self._matches(self._rendering(line)):
                yield start
            start += len(line) + 1


class _Text:
    """Finds plain ASCII text in the bytes as they are: a gigabyte in seconds."""

    def __init__(self, typed: str) -> None:
        self._needle = typed.encode("ascii")
        self._any_case = typed == typed.lower()

    def starts(self, block: bytes) -> Iterator[int]:
        text = block.lower() if self._any_case else block
        needle = self._needle
        found = text.find(needle)
        while found >= 0:
            yield text.rfind(b"\n", 0, found) + 1
            end = text.find(b"\n", found)
            if end < 0:
                return
            found = text.find(needle, end + 1)


class _RawLines:
    """Tests every line as it is in the file, progress bars' earlier states included."""

    def __init__(self, matches: Callable[[str], bool]) -> None:
        self._matches = matches

    def starts(self, block: bytes) -> Iterator[int]:
        matches = self._matches
        start = 0
        for line in block.split(b"\n"):
            if line and matches(line.decode("utf-8", "backslashreplace")):
                yield start
            start += len(line) + 1


def _compiled(typed: str, *, regex: bool) -> re.Pattern[str]:
    expression = typed if regex else re.escape(typed)
    if regex and _repeats_a_repetition(expression):
        raise BadPattern(
            f"{shown(typed)} repeats something that is itself repeated, as (a+)+ does, which can take for ever."
        )
    # Letters behind a backslash, as in \S, are no capitals that anybody looks for.
    any_case = not any(letter.isupper() for letter in re.sub(r"\\.", "", expression))
    try:
        return re.compile(expression, re.IGNORECASE if any_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"{shown(typed)} is no regular expression: {error}.") from None


def _repeats_a_repetition(expression: str) -> bool:
    r"""Whether a group with an unbounded repetition in it is repeated without a bound: its time may grow as 2^n.

    >>> _repeats_a_repetition("(a+)+"), _repeats_a_repetition(r"(a+\)|b)+x"), _repeats_a_repetition("([+]a)+b+")
    (True, True, False)
    """
    inside = [False]  # of each open group, whether there is such a repetition in it
    closed = False  # whether the last thing was a group with one
    at = 0
    while at < len(expression):
        unbounded = _UNBOUNDED.match(expression, at)
        if unbounded is not None:
            if closed:
                return True
            inside[-1] = True
            at = unbounded.end()
            continue
        letter = expression[at]
        was_closed, closed = closed, False
        if letter == "\\":
            at += 2
        elif letter == "[":
            at = _end_of_class(expression, at)
        elif letter == "(":
            inside.append(False)
            at += 1
        elif letter == ")" and len(inside) > 1:
            closed = inside.pop()
            inside[-1] |= closed
            at += 1
        else:
            bounded = _BOUNDED.match(expression, at)
            closed = was_closed and bounded is not None  # (a+){2}: what follows still repeats all of it
            at = bounded.end() if bounded is not None else at + 1
    return False


def _end_of_class(expression: str, at: int) -> int:
    """Where the set of characters that begins at `at` ends; a bracket right at its beginning stands for itself."""
    at += 1
    if expression[at : at + 1] == "^":
        at += 1
    at += 1
    while at < len(expression) and expression[at] != "]":
        at += 2 if expression[at] == "\\" else 1
    return at + 1
