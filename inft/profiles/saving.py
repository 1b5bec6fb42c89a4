"""Saving a profile under a new name, with what was changed in it put into its text and every comment kept."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from inft.config import Config
from inft.errors import ConfigError, disk_error
from inft.new_file import create_file
from inft.profiles import OpenProfile, list_profiles
from inft.profiles.edits import with_value
from inft.profiles.item_edits import with_items
from inft.profiles.knobs import FieldInfo, describe_fields, fields_by_key
from inft.profiles.outline import find, outline
from inft.profiles.overrides import split_override
from inft.profiles.problems import Problem
from inft.profiles.source import parse_source, read_profile_text
from inft.wording import shown

NAME = re.compile(r"\w[\w.-]{0,79}")
"""As the run directories, which are called after the profile, may be."""

NUMBER = re.compile(r"[-+]?[\w.+-]*\d[\w.+-]*")


def save_as(opened: OpenProfile, name: str, overrides: Sequence[str]) -> Path:
    """Writes `opened` with `overrides` as the project's profile `name`, which must not be there yet.

    Returns:
        The new file.

    Raises:
        ConfigError: the name cannot be one or is taken, the values are wrong, or the file has changed since it was read
            such that they no longer go together.
        DiskError: it cannot be written.
    """
    check_name(name)
    text = _under_name(changed_text(opened, overrides), opened.path.stem, name)
    path = opened.root / "profiles" / f"{name}.toml"
    try:
        path.parent.mkdir(exist_ok=True)
        content = _as_editor_left_it(opened.path, text)
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        create_file(path, content)
    except FileExistsError:
        raise _taken(name) from None
    return path


def check_name(name: str) -> None:
    """Whether a new profile may be called so.

    Raises:
        ConfigError: it may not; shipped profiles count as well, since one of the project's would hide them.
    """
    if not NAME.fullmatch(name) or name.endswith(".toml"):
        raise ConfigError(
            f"{shown(name)} cannot be the name of a profile.",
            "It has at most 80 letters, digits, '.', '_' and '-', and begins with a letter or digit.",
        )
    if any(summary.name == name for summary in list_profiles()):
        raise _taken(name)


def changed_text(opened: OpenProfile, overrides: Sequence[str]) -> str:
    """The profile's own text, as its file is now, with what `overrides` change in its places, and else untouched.

    Raises:
        ConfigError: the values are wrong, or do not go with what the file says now.
    """
    wanted = opened.resolve(overrides)
    name = opened.source.name
    text = read_profile_text(opened.path, name)
    now = OpenProfile(opened.path, parse_source(text, name), opened.root)
    if now.resolve(overrides).config != wanted.config:
        raise ConfigError(f"{name} was changed by another program meanwhile.", "Open it anew and change it again.")
    before = now.examine().resolved.config
    typed = _typed_numbers(overrides)
    for info in describe_fields():
        value, old = _value(wanted.config, info), _value(before, info)
        key = tuple(info.key.split("."))
        if value == old and not info.required:
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            for entry, item in value.items():
                if old.get(entry) != item:
                    text = with_value(text, (*key, entry), item)
        elif info.kind == "list" and isinstance(value, tuple):
            text = with_items(text, key, value)
        elif value != old or find(outline(text), key) is None:
            text = with_value(text, key, value, typed.get(info.key, ""))
    again = OpenProfile(opened.path, parse_source(text, name), opened.root).resolve()
    if again.config != wanted.config:
        raise ConfigError(f"{name} is written in a way that cannot be changed in place.", "Change a copy by hand.")
    return text


def _value(config: Config, info: FieldInfo) -> object:
    holder = vars(config)[info.table] if info.table else config
    value: object = vars(holder)[info.name]
    return value


def _typed_numbers(overrides: Sequence[str]) -> dict[str, str]:
    """How numbers were typed, by key, which is how they are written as well: 1e-4 stays 1e-4."""
    fields = fields_by_key()
    pairs = [parts for parts in map(split_override, overrides) if not isinstance(parts, Problem)]
    known = {key: raw for key, raw in pairs if key in fields and fields[key].kind in ("int", "float")}
    return {key: raw for key, raw in known.items() if NUMBER.fullmatch(raw)}


def _under_name(text: str, old: str, new: str) -> str:
    """With the new name in the comment at the top that says how the profile is run."""
    entries = outline(text)[0].entries
    top = entries[0].start if entries else 0
    return text[:top].replace(f"--profile {old}\n", f"--profile {new}\n") + text[top:]


def _as_editor_left_it(path: Path, text: str) -> bytes:
    """`text` with the byte-order mark and the ends of lines that the file has."""
    old = path.read_bytes()
    windows = b"\n" in old and old.count(b"\r\n") == old.count(b"\n")
    mark = codecs.BOM_UTF8 if old.startswith(codecs.BOM_UTF8) else b""
    return mark + (text.replace("\n", "\r\n") if windows else text).encode("utf-8")


def _taken(name: str) -> ConfigError:
    return ConfigError(f"There is a profile {shown(name)} already.", "Choose another name; nothing is overwritten.")
