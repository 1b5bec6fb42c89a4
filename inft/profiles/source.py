"""A profile's text: its values, and the line that each key stands on."""

from __future__ import annotations

import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError

Key = tuple[str, ...]

LARGEST = 1 << 20  # bytes; a run's complete config.toml has about 6 KiB, so more than this is some other file

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]*")


@dataclass(frozen=True)
class Source:
    """What one profile file states.

    Attributes:
        name: the file as messages call it.
        table: its contents.
        lines: line of each key, counted from 1.
    """

    name: str
    table: dict[str, object]
    lines: dict[Key, int]

    def place(self, *key: str) -> str:
        """Where `key` stands: "profiles/x.toml line 12", or the file alone when the line is not known."""
        line = self.lines.get(key)
        return self.name if line is None else f"{self.name} line {line}"


def read_source(path: Path, name: str) -> Source:
    """Reads the profile at `path`, which messages call `name`.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    return parse_source(read_profile_text(path, name), name)


def parse_source(text: str, name: str) -> Source:
    """What a profile's text states, which messages call `name`.

    Raises:
        ConfigError: it is not TOML.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _syntax_error(str(error), text)
        raise ConfigError(
            f"{name} line {line} is not valid TOML: {what}.",
            "Correct that line; a text stands in double quotes, a list in square brackets.",
        ) from None
    except (RecursionError, ValueError):  # brackets nested by the hundred; an integer of thousands of digits
        raise ConfigError(f"{name} holds a value too large to read.", "Remove it.") from None
    return Source(name, table, key_lines(text))


def key_lines(text: str) -> dict[Key, int]:
    r"""The line, counted from 1, on which each key of a valid TOML text is stated.

    >>> key_lines('mode = "basic"\n[sft]\nlr = 1e-4\n')
    {('mode',): 1, ('sft',): 2, ('sft', 'lr'): 3}
    """
    return _Scanner(text).scan()


class _Scanner:
    """Walks a text that tomllib has accepted, so it needs to find the keys and never to judge the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Key, int] = {}

    def scan(self) -> dict[Key, int]:
        table: Key = ()
        while self._skip_blank():
            if self.text[self.at] == "[":
                self.at += 2 if self.text.startswith("[[", self.at) else 1
                table = self._key(())
                self.at = self.text.find("]", self.at)
                self.at += 2 if self.text.startswith("]]", self.at) else 1
            else:
                self._assignment(table)
        return self.lines

    def _assignment(self, table: Key) -> None:
        key = self._key(table)
        self.at = self.text.index("=", self.at) + 1
        self._value(key)

    def _key(self, table: Key) -> Key:
        """Reads a dotted key, notes its line and returns it in full."""
        self._skip_blank()
        line = self.text.count("\n", 0, self.at) + 1
        parts = [self._key_part()]
        while self._skip_blank() and self.text[self.at] == ".":
            self.at += 1
            self._skip_blank()
            parts.append(self._key_part())
        key = (*table, *parts)
        self.lines.setdefault(key, line)
        return key

    def _key_part(self) -> str:
        quoted = _STRING.match(self.text, self.at)
        if quoted:
            self.at = quoted.end()
            return str(tomllib.loads(f"v = {quoted.group()}")["v"])
        bare = _BARE_KEY.match(self.text, self.at)
        assert bare is not None, f"no key at character {self.at} of a text that tomllib accepted"
        self.at = bare.end()
        return bare.group()

    def _value(self, key: Key) -> None:
        self._skip_blank()
        opening = self.text[self.at]
        if opening not in "[{":
            scalar = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            assert scalar is not None, "a scalar's pattern matches the empty text too"
            self.at = scalar.end()
            return
        closing = "]" if opening == "[" else "}"
        self.at += 1
        while self._skip_blank() and self.text[self.at] != closing:
            if self.text[self.at] == ",":
                self.at += 1
            elif opening == "[":
                self._value(key)
            else:
                self._assignment(key)
        self.at += 1

    def _skip_blank(self) -> bool:
        """Moves past white space and comments; whether anything is left."""
        blank = _BLANK.match(self.text, self.at)
        if blank:
            self.at = blank.end()
        return self.at < len(self.text)


def read_profile_text(path: Path, name: str) -> str:
    """The text of the profile at `path`, which messages call `name`.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        status = path.stat()
        # A pipe or a device would be waited for, or read, without end.
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ConfigError(f"{name} is {what}.", "Name a .toml file, or a profile that `inft-tui profiles` lists.")
        if status.st_size > LARGEST:
            raise ConfigError(f"{name} has {status.st_size} bytes, too many for a profile.", "Name another file.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{name} does not exist.", "`inft-tui profiles` lists the profiles there are.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{name} cannot be read: {reason}.", "Check its permissions.") from None
    except ValueError:  # a NUL in the path
        raise ConfigError(f"{name!r} is no path.", "Name a .toml file.") from None
    try:
        # Editors on Windows begin a file with a byte-order mark and end lines with CR LF.
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name} line {line} is not UTF-8 text.", "Save the file in UTF-8.") from None


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    """What tomllib found wrong, in lower case and without its position, and the line."""
    what, _, position = message.partition(" (at ")
    line = re.match(r"line (\d+)", position)
    return what[:1].lower() + what[1:], int(line.group(1)) if line else text.rstrip("\n").count("\n") + 1
