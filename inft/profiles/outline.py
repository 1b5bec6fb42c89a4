"""Where in a profile's text each table, key, value and array item stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Key = tuple[str, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]*")


@dataclass(frozen=True)
class Value:
    """A value as it is written.

    Attributes:
        start, end: offsets of its first character and behind its last.
        items: of an array.
        entries: of an inline table.
    """

    start: int
    end: int
    kind: Literal["plain", "array", "table"] = "plain"
    items: tuple[Value, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A key with its value.

    Attributes:
        key: in full, with the tables it stands in.
        start: offset of where it begins.
    """

    key: Key
    start: int
    value: Value


@dataclass(frozen=True)
class Section:
    """What stands below one header.

    Attributes:
        key: of the header; () for the top level, which has none.
        end: offset behind the header.
    """

    key: Key
    end: int
    entries: tuple[Entry, ...]


def outline(text: str) -> list[Section]:
    r"""The sections of a valid TOML text in their order, the top level first.

    >>> [section.key for section in outline('mode = "basic"\n[sft]\nlr = 1e-4\n')]
    [(), ('sft',)]
    """
    return list(_Walk(text).sections())


def stated(entries: Sequence[Entry]) -> Iterator[Entry]:
    """They, each followed by what its value states in turn."""
    for entry in entries:
        yield entry
        for value in (entry.value, *entry.value.items):
            yield from stated(value.entries)


def find(sections: Sequence[Section], key: Key) -> Entry | None:
    """The entry that states `key` by itself, be it in an inline table."""
    return next((entry for section in sections for entry in stated(section.entries) if entry.key == key), None)


def after_blank(text: str, at: int) -> int:
    """The offset of what comes next that is neither white space nor comment."""
    blank = _BLANK.match(text, at)
    assert blank is not None, "the pattern matches the empty text too"
    return blank.end()


def is_bare(name: str) -> bool:
    """Whether a key can be written without quotes."""
    return _BARE_KEY.fullmatch(name) is not None


class _Walk:
    """Passes over a text that tomllib has accepted, so it needs to find things and never to judge the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = after_blank(text, 0)

    def sections(self) -> Iterator[Section]:
        yield Section((), 0, self._entries(()))
        while self.at < len(self.text):
            brackets = 2 if self.text.startswith("[[", self.at) else 1
            self._pass(brackets)
            key = self._key()
            end = self.at + brackets
            self._pass(brackets)
            yield Section(key, end, self._entries(key))

    def _entries(self, table: Key) -> tuple[Entry, ...]:
        entries = []
        while self.at < len(self.text) and self.text[self.at] != "[":
            entries.append(self._entry(table))
        return tuple(entries)

    def _entry(self, table: Key) -> Entry:
        start = self.at
        key = (*table, *self._key())
        self._pass(1)
        return Entry(key, start, self._value(key))

    def _key(self) -> Key:
        parts = [self._key_part()]
        while self.text[self.at] == ".":
            self._pass(1)
            parts.append(self._key_part())
        return tuple(parts)

    def _key_part(self) -> str:
        part = _STRING.match(self.text, self.at) or _BARE_KEY.match(self.text, self.at)
        assert part is not None, f"no key at character {self.at} of a text that tomllib accepted"
        self._pass(len(part.group()))
        return part.group() if is_bare(part.group()) else str(tomllib.loads(f"v = {part.group()}")["v"])

    def _value(self, key: Key) -> Value:
        start = self.at
        opening = self.text[start]
        if opening not in "[{":
            scalar = _STRING.match(self.text, start) or _SCALAR.match(self.text, start)
            assert scalar is not None, "a scalar's pattern matches the empty text too"
            written = scalar.group().rstrip()
            self._pass(len(written))
            return Value(start, start + len(written))
        items: list[Value] = []
        entries: list[Entry] = []
        self._pass(1)
        while self.text[self.at] not in "]}":
            if self.text[self.at] == ",":
                self._pass(1)
            elif opening == "[":
                items.append(self._value(key))
            else:
                entries.append(self._entry(key))
        end = self.at + 1
        self._pass(1)
        return Value(start, end, "array" if opening == "[" else "table", tuple(items), tuple(entries))

    def _pass(self, characters: int) -> None:
        """Moves behind them and the blank that follows."""
        self.at = after_blank(self.text, self.at + characters)
