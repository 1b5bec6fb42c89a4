"""An array of texts in a profile's text with other items: those that stay keep their places and their comments."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from difflib import SequenceMatcher

from inft.profiles.edits import value_text, with_value
from inft.profiles.outline import Key, Value, after_blank, find, outline

_REST_OF_LINE = re.compile(r"[ \t]*(,?)[ \t]*(#[^\n]*)?\n")
_INDENT = "    "


def with_items(text: str, key: Key, items: Sequence[str]) -> str:
    """`text` with other items in the array `key`; where it is not stated, it is put below the last key of its table.

    An item that takes another's place takes its comment too; one that moves takes its own along.
    """
    array = _array(text, key)
    if array is None:
        return with_value(text, key, items)
    had = [str(tomllib.loads(f"v = {text[item.start : item.end]}")["v"]) for item in array.items]
    comments = {name: _comment(text, array, at) for at, name in enumerate(had)}
    # From the end, so that the places before stay as they were counted.
    for what, start, stop, first, last in reversed(SequenceMatcher(None, had, items, autojunk=False).get_opcodes()):
        if what == "equal":
            continue
        gone, new = had[start:stop], items[first:last]
        moved = any(item in items for item in gone) or any(item in had for item in new)
        common = 0 if moved else min(len(gone), len(new))
        for at in reversed(range(start + common, stop)):
            text = _without(text, _stated(text, key), at)
        for item in reversed(new[common:]):
            text = _with_item_behind(text, _stated(text, key), start + common - 1, item, comments.get(item, ""))
        for at in reversed(range(common)):
            place = _stated(text, key).items[start + at]
            text = f"{text[: place.start]}{value_text(new[at])}{text[place.end :]}"
    return text


def _array(text: str, key: Key) -> Value | None:
    entry = find(outline(text), key)
    return entry.value if entry is not None else None


def _stated(text: str, key: Key) -> Value:
    array = _array(text, key)
    assert array is not None, "it was there before one of its items was changed"
    return array


def _comma(text: str, item: Value) -> int | None:
    """The offset of the comma behind an item."""
    at = after_blank(text, item.end)
    return at if text[at] == "," else None


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _own_line(text: str, array: Value, at: int) -> re.Match[str] | None:
    """What follows an item on its line: its comma and comment, if nothing else stands on that line."""
    item = array.items[at]
    rest = _REST_OF_LINE.match(text, item.end)
    alone = not text[_line_start(text, item.start) : item.start].strip()
    # A comma at the beginning of the next line is not part of this one.
    return rest if rest and alone and (rest[1] or _comma(text, item) is None) else None


def _comment(text: str, array: Value, at: int) -> str:
    rest = _own_line(text, array, at)
    return rest[2] or "" if rest else ""


def _without(text: str, array: Value, at: int) -> str:
    item, line = array.items[at], _own_line(text, array, at)
    if line:
        return text[: _line_start(text, item.start)] + text[line.end() :]
    comma = _comma(text, item)
    if comma is not None:
        behind = text[comma + 1 :]
        kept = text[: item.start] + text[item.end : comma]
        return kept.rstrip(" \t") + behind if behind.startswith("\n") else kept + behind.lstrip(" \t")
    start = item.start
    if at:
        before = array.items[at - 1]
        # A comment in between is kept, and with it the comma before it.
        start = before.end if text[before.end : item.start].strip() == "," else item.start
    return text[:start] + text[item.end :]


def _with_item_behind(text: str, array: Value, at: int, item: str, comment: str) -> str:
    """Behind item number `at`; -1 = before all."""
    written, remark = value_text(item), f"  {comment}" if comment else ""
    if not array.items:
        closing = array.end - 1
        start = _line_start(text, closing)
        if start <= array.start:
            return f"{text[: array.start]}[{written}]{text[array.end :]}"
        return f"{text[:start]}{text[start:closing]}{_INDENT}{written},{remark}\n{text[start:]}"
    place = array.items[max(at, 0)]
    indent = text[_line_start(text, place.start) : place.start]
    line = _own_line(text, array, max(at, 0))
    if at < 0:
        behind = f",{remark}\n{indent}" if line else ", "
        return f"{text[: place.start]}{written}{behind}{text[place.start :]}"
    if not line:
        return f"{text[: place.end]}, {written}{text[place.end :]}"
    comma = "" if line[1] else ","
    above = f"{text[: place.end]}{comma}{text[place.end : line.end()]}"
    return f"{above}{indent}{written}{line[1]}{remark}\n{text[line.end() :]}"
