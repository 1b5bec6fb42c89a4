"""A profile's text: its values, and the line that each key stands on."""

from __future__ import annotations

import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError
from inft.profiles.outline import Key, outline, stated

LARGEST = 1 << 20  # bytes; a run's complete config.toml has about 6 KiB, so more than this is some other file


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
    lines: dict[Key, int] = {}
    for section in outline(text):
        if section.key:
            lines.setdefault(section.key, text.count("\n", 0, section.end) + 1)
        for entry in stated(section.entries):
            lines.setdefault(entry.key, text.count("\n", 0, entry.start) + 1)
    return lines


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
