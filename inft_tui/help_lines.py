"""The table of keys as a person reads it: in one column or in two, and nothing cut where there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from inft_tui.charts.glyphs import Glyphs
from inft_tui.display.spans import EMPTY, Line, pad, width
from inft_tui.key_table import PLACE_NAMES, Place
from inft_tui.keys import Keymap, shown_key
from inft_tui.legend import legend

TWO_FROM = 100
"""Columns from which on there may be two columns of keys."""
_INDENT = 2
_GAP = 2
_WIDEST_KEYS = 16


@dataclass(frozen=True)
class _Entry:
    """What one key does, or one mark means, and what a keymap calls it."""

    keys: str
    does: str
    name: str = ""


_Part = tuple[str, Sequence[_Entry]]
"""A heading, and what stands below it."""


def help_lines(keymap: Keymap, over: Place, glyphs: Glyphs, columns: int, rows: int) -> list[Line]:
    """The keys of a screen, those that are valid everywhere, and what its marks mean.

    Args:
        keymap: what the keys mean.
        over: the screen.
        glyphs: what its charts are drawn with.
        columns: of the room there is.
        rows: the same; where one column of keys does not fit into it, there are two if they find place side by side.
    """
    own, everywhere = _keys(keymap, over), _keys(keymap, "everywhere")
    marks = [_Entry(mark, means) for mark, means in legend(over, glyphs)]
    parts: list[_Part] = [(PLACE_NAMES["everywhere"], everywhere)]
    if over != "everywhere":
        parts.insert(0, (PLACE_NAMES[over], own))
    if marks:
        parts.append(("Marks", marks))
    one = _column(parts, columns)
    if len(one) <= rows or columns < TWO_FROM or len(parts) == 1:
        return one
    left, right = _column(parts[:1], columns // 2), _column(parts[1:], columns - columns // 2)
    left += [EMPTY] * (len(right) - len(left))
    right += [EMPTY] * (len(left) - len(right))
    return [
        (*first, (" " * (columns // 2 - width(first)), "text"), *second) if second else first
        for first, second in zip(left, right, strict=True)
    ]


def _keys(keymap: Keymap, place: Place) -> list[_Entry]:
    return [
        _Entry(", ".join(shown_key(key) for key in row.keys), row.does, row.id)
        for row in keymap.rows
        if row.where == place
    ]


def _column(parts: Sequence[_Part], columns: int) -> list[Line]:
    entries = [entry for _, found in parts for entry in found]
    keys = min(_WIDEST_KEYS, max((len(entry.keys) for entry in entries), default=0))
    names = max((len(entry.name) for entry in entries), default=0)
    does = max((len(entry.does) for entry in entries), default=0)
    room = columns - 2 * _INDENT - keys - _GAP - 1
    is_named = room >= does + _GAP + names
    lines: list[Line] = []
    for heading, found in parts:
        lines += [EMPTY, ((" " * _INDENT + heading, "title"),)]
        for entry in found:
            lines += _entry(entry, keys, does if is_named else max(10, min(does, room)), is_named=is_named)
    return lines


def _entry(entry: _Entry, keys: int, does: int, *, is_named: bool) -> list[Line]:
    """One below the other where they are too long: a key that cannot be read is of no use."""
    left = textwrap.wrap(entry.keys, keys) or [""]
    right = textwrap.wrap(entry.does, does)
    lines: list[Line] = []
    for number in range(max(len(left), len(right))):
        key, what = (part[number] if number < len(part) else "" for part in (left, right))
        name = entry.name if is_named and number == 0 else ""
        head = " " * (2 * _INDENT) + pad(key, keys) + " " * _GAP
        lines.append(((head, "accent"), (pad(what, does), "text"), (f"{' ' * _GAP}{name}" if name else "", "dim")))
    return lines
