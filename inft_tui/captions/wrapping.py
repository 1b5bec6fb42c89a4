"""Lines of several roles in as many columns as there are: broken between words, else between characters."""

from __future__ import annotations

from inft_tui.captions.changes import words_of
from inft_tui.display.columns import clusters, columns_of
from inft_tui.display.spans import Line, Span


def wrapped(line: Line, columns: int) -> list[Line]:
    """`line` in lines of at most `columns` each, which is at least 2; at least one line.

    >>> wrapped((("a red ", "text"), ("house", "added")), 5)
    [(('a red', 'text'),), (('house', 'added'),)]
    """
    lines: list[list[Span]] = [[]]
    used = 0
    for text, role in line:
        for word in words_of(text):
            size = columns_of(word)
            if used + size <= columns:
                used += _put(lines, word, role)
                continue
            if word.isspace():
                lines.append([])
                used = 0
                continue
            if used and (size <= columns or used >= columns):
                lines.append([])
                used = 0
            for piece in _pieces(word, columns - used, columns):
                if used and used + columns_of(piece) > columns:
                    lines.append([])
                    used = 0
                used += _put(lines, piece, role)
    return [_without_last_blanks(spans) for spans in lines]


def _put(lines: list[list[Span]], text: str, role: str) -> int:
    """Adds it to the last line; how many columns that takes. A line does not begin with blanks."""
    last = lines[-1]
    if text.isspace() and not last:
        return 0
    if last and last[-1][1] == role:
        last[-1] = (last[-1][0] + text, role)
    else:
        last.append((text, role))
    return columns_of(text)


def _pieces(word: str, first: int, rest: int) -> list[str]:
    """A word that is longer than a line in pieces; what is seen as one character stays whole if it fits."""
    pieces, used, room = [""], 0, first
    for cluster in clusters(word):
        for part in [cluster] if columns_of(cluster) <= rest else cluster:
            size = columns_of(part)
            if used + size > room and pieces[-1]:
                pieces.append("")
                used, room = 0, rest
            pieces[-1] += part
            used += size
    return pieces


def _without_last_blanks(spans: list[Span]) -> Line:
    while spans and not spans[-1][0].strip():
        spans.pop()
    if spans:
        spans[-1] = (spans[-1][0].rstrip(), spans[-1][1])
    return tuple(spans)
