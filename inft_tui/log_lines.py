"""A page of a log as lines of a screen: which file, which place in it, its lines in roles. Reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inft.runs.quantities import size
from inft_tui.display.columns import clusters, columns_of
from inft_tui.display.spans import EMPTY, Line, Span, cut, width
from inft_tui.logs.errors import is_error, is_warning
from inft_tui.logs.pager import Page

NUMBERS_FROM = 100
"""Columns from which on lines are numbered unless a person says otherwise."""
LEAST_PLACE = 12
"""Columns below which the beginning of where the window stands says nothing."""
MARGIN = 1
"""Columns that stay empty before lines without numbers."""
BEYOND = 9
"""Columns by which a line that goes on is given longer than there is room for, so that it is cut with an ellipsis: more
than what is seen as one character takes, be it an emoji of four people."""

Found = Callable[[str], Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Look:
    """How a person wants to see it.

    Attributes:
        wraps: whether a long line goes on below.
        left: columns that are scrolled past, where it does not.
        numbered: whether lines are numbered; None = where there is room for it.
        typed: what is looked for; empty = nothing.
        found: where that is in a line.
        problem: why what was typed cannot be looked for.
    """

    wraps: bool = False
    left: int = 0
    numbered: bool | None = None
    typed: str = ""
    found: Found | None = None
    problem: str = ""


def heading(names: Sequence[str], at: int, page: Page, look: Look, columns: int) -> Line:
    """Which file this is, and where in it the window stands."""
    tabs: list[Span] = [(" ", "text")]
    for place, name in enumerate(names):
        tabs += [(f" {name} ", "tab" if place == at else "dim"), (" ", "text")]
    short: list[Span] = [(" ", "text"), (f" {names[at]} ", "tab")]
    if len(names) > 1:
        short.append((f"  {at + 1} of {len(names)}", "dim"))
    for left in (tabs, short):
        parts = _places(page, look)
        while parts:
            right = _separated(parts)
            if width(tuple(left)) + 2 + width(right) <= columns:
                blank = columns - width(tuple(left)) - width(right)
                return (*left, (" " * blank, "text"), *right)
            if left is tabs and len(parts) <= 2:
                break  # where it stands matters more than the names of the others
            parts.pop()
    room = columns - width(tuple(short)) - 3
    parts = _places(page, look)
    if not parts or room < LEAST_PLACE:
        return tuple(short)
    text, role = parts[0]
    return (*short, ("  ", "text"), (cut(text, room), role))


def lines(page: Page, look: Look, columns: int, rows: int) -> list[Line]:
    """The log's lines; at most `rows`."""
    gutter = number_columns(page, look, columns)
    drawn: list[Line] = []
    room = max(1, columns - gutter)
    for row in page.rows:
        marked = row.start == page.marked
        pieces = _pieces(row.text, look, room)
        for number, (text, found) in enumerate(pieces):
            line = _styled(text, found, _role(row.text))
            label = "" if number or gutter == MARGIN or row.number is None else f"{row.number + 1:,}  "
            line = ((f"{label:>{gutter}}", "dim"), *line)
            if marked:
                filled = (*line, (" " * max(0, columns - width(line)), "text"))
                line = tuple((part, f"{role} selected") for part, role in filled)
            drawn.append(line)
    # Where the last line counts most, a long one must not push it out.
    return drawn[-rows:] if page.is_following else drawn[:rows]


def nothing(page: Page, look: Look, name: str, writer: str) -> list[Line]:
    """What is shown where there is no line."""
    if page.problem:
        return [EMPTY, ((f"  {page.problem}", "bad"),)]
    if look.typed and page.found is not None:
        if page.searched < 1:
            return [EMPTY, ((f"  Looking for “{look.typed}” … {page.searched:.0%}", "dim"),)]
        return [EMPTY, ((f"  No line has “{look.typed}”.", "dim"),), ((f"  Esc shows all {_count(page)}.", "dim"),)]
    if not page.has_folder:
        return [EMPTY, ((f"  There is no {name} any more: its folder was deleted.", "title"),)]
    said = f"  {name} is empty." if page.exists else f"  There is no {name} yet."
    return [EMPTY, ((said, "title"),), ((f"  {writer}" if writer else "", "dim"),)]


def number_columns(page: Page, look: Look, columns: int) -> int:
    """Columns before a line: its number with a blank before and two behind it, else one that is empty."""
    numbered = columns >= NUMBERS_FROM if look.numbered is None else look.numbered
    return max(5, len(f"{page.line_count:,}")) + 3 if numbered else MARGIN


def _places(page: Page, look: Look) -> list[Span]:
    """Where the window stands, the most important first."""
    parts: list[Span] = []
    if look.problem:
        parts.append((look.problem, "bad"))
    if not page.exists and page.size:
        parts.append(("the file was deleted" if page.has_folder else "its folder was deleted", "warn"))
    match page.looking:
        case "above" | "below":
            parts.append((f"looking for an error {page.looking} …", "accent"))
        case "none above" | "none below":
            parts.append((f"no error {page.looking.removeprefix('none ')}", "warn"))
        case _:
            pass
    if page.found is not None and look.typed:
        so_far = "" if page.searched >= 1 else f", {page.searched:.0%} searched"
        parts.append((f"{page.found:,} with “{look.typed}”{so_far}", "accent"))
    if not page.size:
        return parts
    if page.is_following:
        parts.append(("following", "good"))
    parts.append((_position(page), "dim"))
    if look.left:
        parts.append((f"from column {look.left + 1}", "dim"))
    parts.append((size(page.size), "dim"))
    return parts


def _position(page: Page) -> str:
    if page.is_following or page.found is not None or not page.rows:
        return _count(page)
    first, last = page.rows[0], page.rows[-1]
    if first.number is None or last.number is None:
        return f"{last.end / max(1, page.size):.0%} of {_count(page)}"
    return f"{first.number + 1:,}–{last.number + 1:,} of {_count(page)}"


def _count(page: Page) -> str:
    lines = f"{page.line_count:,} line{'' if page.line_count == 1 else 's'}"
    return lines if page.is_counted or not page.size else f"about {lines}"


def _separated(parts: Sequence[Span]) -> Line:
    spans: list[Span] = []
    for part in parts:
        spans += [(" · ", "faint"), part] if spans else [part]
    return (*spans, (" ", "text"))


def _pieces(text: str, look: Look, room: int) -> list[tuple[str, list[tuple[int, int]]]]:
    """The parts of a line that are shown below one another, and where in each what was looked for is."""
    found = [] if look.found is None else list(look.found(text))
    if not look.wraps:
        start = _column(text, look.left)
        return [_piece(text, start, _column(text, look.left + room + BEYOND), found)]
    pieces = []
    start = 0
    while True:
        end = start + max(1, _column(text[start : start + room], room))
        pieces.append(_piece(text, start, end, found))
        start = end
        if start >= len(text):
            return pieces


def _piece(text: str, start: int, end: int, found: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    inside = [(max(first, start) - start, min(last, end) - start) for first, last in found]
    return text[start:end], [(first, last) for first, last in inside if first < last]


def _column(text: str, columns: int) -> int:
    """How many of the first characters of `text` fit into `columns`."""
    if text.isascii():
        return min(len(text), columns)
    used = place = 0
    for cluster in clusters(text):
        used += columns_of(cluster)
        if used > columns:
            return place
        place += len(cluster)
    return len(text)


def _role(text: str) -> str:
    return "bad" if is_error(text) else "warn" if is_warning(text) else "text"


def _styled(text: str, found: Sequence[tuple[int, int]], role: str) -> Line:
    spans: list[Span] = []
    at = 0
    for first, last in found:
        spans += [(text[at:first], role), (text[first:last], "ask")]
        at = last
    spans.append((text[at:], role))
    return tuple(span for span in spans if span[0])
