"""A profile's text with one value changed, and every other character of it as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from inft.profiles.knobs import TABLES
from inft.profiles.outline import Entry, Key, Section, find, is_bare, outline

LONGEST_LINE = 120
"""Columns; an array that needs more is written with one item per line."""

_RANKS = {name: rank for rank, name in enumerate(TABLES)}
_REMARKS = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))*")
_BLANK_LINE = re.compile(r"[ \t]*(?:\n|\Z)")


def with_value(text: str, key: Key, value: object, typed: str = "") -> str:
    """`text` with another value for `key`: in its place where it is stated, else below the last key of its table.

    Args:
        text: valid TOML.
        key: with the tables it stands in; one part at the top level, three for an entry of a table of texts.
        value: what a profile can state.
        typed: how to write it, if not in the usual way.
    """
    sections = outline(text)
    stated = find(sections, key)
    if stated is not None:
        return f"{text[: stated.value.start]}{typed or value_text(value)}{text[stated.value.end :]}"
    for depth in range(len(key) - 1, 0, -1):
        holder = find(sections, key[:depth])
        if holder is not None:
            return _in_inline_table(text, holder, _line(key[depth:], value, typed))
        for section in sections:
            near = section.entries if section.key == key[:depth] else _below(section, key[:depth])
            if near or section.key == key[:depth]:
                line = _line(key[len(section.key) :], value, typed)
                return _in_section(text, section, near, line)
    line = _line(key[1:] or key, value, typed)
    if len(key) == 1:
        return _in_section(text, sections[0], sections[0].entries, line)
    return _as_section(text, sections, key[0], line)


def value_text(value: object) -> str:
    """A value as a profile states it.

    >>> value_text(128.0), value_text(None), value_text(("en", "fr"))
    ('128', '"none"', '["en", "fr"]')
    """
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # TOML wants this one escaped, and JSON does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    return repr(value).removesuffix(".0")


def _line(key: Key, value: object, typed: str) -> str:
    name = ".".join(part if is_bare(part) else value_text(part) for part in key)
    line = f"{name} = {typed or value_text(value)}"
    if len(line) <= LONGEST_LINE or not isinstance(value, (list, tuple)):
        return line
    return "\n".join([f"{name} = [", *(f"    {value_text(item)}," for item in value), "]"])


def _below(section: Section, key: Key) -> tuple[Entry, ...]:
    """What a section states of the table `key` by dotted keys."""
    if len(section.key) >= len(key):
        return ()
    return tuple(entry for entry in section.entries if entry.key[: len(key)] == key)


def _in_inline_table(text: str, holder: Entry, line: str) -> str:
    table = holder.value
    if not table.entries:
        return f"{text[: table.start]}{{ {line} }}{text[table.end :]}"
    at = table.entries[-1].value.end
    return f"{text[:at]}, {line}{text[at:]}"


def _in_section(text: str, section: Section, near: Sequence[Entry], line: str) -> str:
    """Below the last of the entries `near`, or below the header if there are none."""
    if near:
        start = near[-1].start
        indent = text[text.rfind("\n", 0, start) + 1 : start]
        line = indent + line.replace("\n", f"\n{indent}")
        at = _line_behind(text, near[-1].value.end)
    else:
        at = _line_behind(text, section.end)
        if not section.key and not _BLANK_LINE.match(text, at):
            line += "\n"
    return _put(text, at, line)


def _as_section(text: str, sections: Sequence[Section], table: str, line: str) -> str:
    """In a section of its own, behind those that come before it in a profile."""
    before = [section for section in sections if _RANKS[(*section.key, "")[0]] < _RANKS[table]]
    entries = before[-1].entries
    at = _line_behind(text, entries[-1].value.end if entries else before[-1].end)
    above = "\n" if text[:at].strip() else ""
    below = "" if _BLANK_LINE.match(text, at) else "\n"
    return _put(text, at, f"{above}[{table}]\n{line}{below}")


def _put(text: str, at: int, lines: str) -> str:
    above = "" if text[:at].endswith("\n") or not at else "\n"
    return f"{text[:at]}{above}{lines}\n{text[at:]}"


def _line_behind(text: str, end: int) -> int:
    """Where a line may begin that belongs to what ends at `end`; 0 = nothing, which the text begins with.

    Remarks that follow without a blank line belong to it too, unless they head something else.
    """
    newline = text.find("\n", end)
    at = (newline + 1 or len(text)) if end else 0
    remarks = _REMARKS.match(text, at)
    assert remarks is not None, "the pattern matches the empty text too"
    return remarks.end() if _BLANK_LINE.match(text, remarks.end()) else at
