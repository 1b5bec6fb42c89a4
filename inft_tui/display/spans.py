"""Lines of text in roles, fitted into columns; what a role looks like is the palette's to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rich.cells import cell_len, get_character_cell_size

from inft_tui.display.columns import clusters, columns_of, is_doubtful, loose_runs

Span: TypeAlias = tuple[str, str]
"""Text, and the role that it plays."""
Line: TypeAlias = tuple[Span, ...]

EMPTY: Line = ()
ELLIPSIS = "…"


def width(line: Line) -> int:
    """Columns that it takes."""
    return sum(columns_of(text) for text, _ in line)


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns`; where something is lost, an ellipsis says so.

    >>> cut("aya_adv-20250301", 8), cut("写真", 3), cut("abc", 0)
    ('aya_adv…', '写…', '')
    """
    if columns_of(text) <= columns:
        return text
    if columns <= 0:
        return ""
    kept, used = [], 0
    for cluster in clusters(text):
        used += columns_of(cluster)
        if used > columns - 1:
            break
        kept.append(cluster)
    return "".join(kept) + ELLIPSIS


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` in exactly `columns`, aligned to the left or to the right.

    >>> pad("7", 3, right=True), pad("loss", 3)
    ('  7', 'lo…')
    """
    text = cut(text, columns)
    blank = " " * (columns - columns_of(text))
    return blank + text if right else text + blank


def fit(line: Line, columns: int, role: str) -> Line:
    """`line` in exactly `columns`; what is missing is filled in `role`."""
    fitted: list[Span] = []
    left = columns
    for text, kind in line:
        if left <= 0:
            break
        shown = cut(text, left)
        fitted.append((shown, kind))
        left -= columns_of(shown)
    if left > 0:
        fitted.append((" " * left, role))
    return tuple(fitted)


def reserved(line: Line) -> Line:
    """`line` with blanks behind doubtful text, so that what follows begins where it does if that is as wide as can be.

    With them it has as many columns by Rich's table, which Textual goes by, as `width` says.
    """
    runs = loose_runs([text for text, _ in line])
    if not runs:
        return line
    spans: list[Span] = []
    done = 0
    for first, behind in runs:
        missing = sum(columns_of(text) - cell_len(text) for text, _ in line[first:behind])
        spans += line[done:behind]
        if missing:
            spans.append((" " * missing, line[behind - 1][1]))
        done = behind
    return (*spans, *line[done:])


def joined(left: Line, right: Line, columns: int, role: str) -> Line:
    """`left` at the left edge and `right` at the right one; `right` goes where there is no room for both."""
    room = columns - width(right)
    if width(left) > room:
        return fit(left, columns, role)
    return (*fit(left, room, role), *right)


def difference(old: Line, new: Line) -> tuple[int, int] | None:
    """Columns from the first to behind the last that differ between two lines; None where none does.

    Of lines with doubtful text it is all columns: where what they show ends, only the terminal knows.

    >>> difference((("loss 3.1", "text"),), (("loss 3.2", "text"),))
    (7, 8)
    """
    if any(is_doubtful(text) for text, _ in (*old, *new)):
        return None if old == new else (0, max(width(old), width(new)))
    before, after = _cells(old), _cells(new)
    if before == after:
        return None
    shorter = min(len(before), len(after))
    first = next((column for column in range(shorter) if before[column] != after[column]), shorter)
    longer = max(len(before), len(after))
    if len(before) != len(after):
        return first, longer
    behind = next((column for column in range(longer, first, -1) if before[column - 1] != after[column - 1]), longer)
    return first, behind


def _cells(line: Sequence[Span]) -> list[Span]:
    """A character for each column; behind a wide one comes an empty one that is as different as it is."""
    cells: list[Span] = []
    for text, role in line:
        if text.isascii():
            cells += [(character, role) for character in text]
            continue
        for character in text:
            columns = get_character_cell_size(character)
            if columns == 0 and cells:
                cells[-1] = (cells[-1][0] + character, role)
                continue
            cells += [(character, role)] * columns
    return cells
