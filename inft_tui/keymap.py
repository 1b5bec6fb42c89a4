"""A person's own keys: `keys.toml` of the project's `.inft` folder, else of the user's configuration folder.

"runs.stop" = "S"
"runs.up" = ["up", "ctrl+p"]
quit = []                       # no key at all
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from inft.errors import ConfigError, disk_error
from inft.project import project_root
from inft.wording import did_you_mean, shown
from inft_tui.key_table import TABLE, Place
from inft_tui.keys import Keymap

FILE = "keys.toml"
_NAMED = frozenset(f"f{number}" for number in range(1, 13)) | {
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
    *("enter", "escape", "tab", "backspace", "delete", "insert", "space"),
}
_MODIFIERS = ("ctrl", "shift", "alt")
_SPELT = {
    "/": "slash",
    "?": "question_mark",
    ":": "colon",
    ";": "semicolon",
    ",": "comma",
    ".": "full_stop",
    "+": "plus",
    "-": "minus",
    "_": "underscore",
    "=": "equals_sign",
    "*": "asterisk",
    "!": "exclamation_mark",
    "#": "number_sign",
    "@": "at",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    " ": "space",
}


def keymap_file(environment: Mapping[str, str]) -> Path | None:
    """The file that counts; None where there is none.

    Raises:
        ConfigError: `INFT_HOME` names no folder.
    """
    folders = [project_root() / ".inft"]
    stated = environment.get("XDG_CONFIG_HOME", "")
    home = environment.get("HOME", "")
    if os.path.isabs(stated):
        folders.append(Path(stated) / "inft")
    elif home:
        folders.append(Path(home) / ".config" / "inft")
    return next((folder / FILE for folder in folders if os.path.isfile(folder / FILE)), None)


def read_keymap(path: Path | None, *, readonly: bool) -> Keymap:
    """The table with the changes of that file.

    Raises:
        ConfigError: it is no TOML, or names an id or a key that there is not, or one key for two things. All that is
            wrong is said at once.
        DiskError: it cannot be read.
    """
    if path is None:
        return Keymap(readonly=readonly)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise disk_error(error, path) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", "Correct it, or move it away.") from error
    problems: list[str] = []
    changes: dict[str, tuple[str, ...]] = {}
    for name, value in _flat(content):
        if name not in {row.id for row in TABLE}:
            near = did_you_mean(get_close_matches(name, [row.id for row in TABLE], n=2))
            problems.append(f"{shown(name)} is no command. {near}".strip())
            continue
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            problems.append(f"{name} = {shown(value)} is neither a key nor a list of keys.")
            continue
        changes[name] = tuple(_spelt(key) for key in keys)
        problems += [f"{name} = {shown(key)} is no key." for key in keys if not _is_key(_spelt(key))]
    keymap = Keymap(changes, readonly=readonly)
    problems += _clashes(keymap)
    if not any(row.id == "quit" for row in keymap.rows):
        problems.append("Nothing leaves the console: quit needs a key.")
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems), "`inft-tui` then starts again.")
    return keymap


def _flat(table: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """TOML reads `runs.stop = "S"` as a table in a table."""
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _spelt(key: str) -> str:
    head, plus, last = key.rpartition("+") if len(key) > 1 else ("", "", key)
    last = _SPELT.get(last, last if len(last) == 1 and not head else last.lower())
    return f"{head.lower()}{plus}{last}"


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+")
    if any(modifier not in _MODIFIERS for modifier in modifiers):
        return False
    if modifiers and len(last) == 1:
        return last.isascii() and last.isalnum() and last == last.lower()
    return last in _NAMED or last in _SPELT.values() or (len(last) == 1 and last.isalnum())


def _clashes(keymap: Keymap) -> list[str]:
    owners: dict[tuple[Place, str], str] = {}
    problems = []
    for row in keymap.rows:
        for key in row.keys:
            other = owners.setdefault((row.where, key), row.id)
            if other != row.id:
                problems.append(f"{key} is meant for both {other} and {row.id}.")
    return problems
