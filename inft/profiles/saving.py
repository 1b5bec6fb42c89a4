"""Saving a profile under a new name, with what was changed in it put into its text and every comment kept."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from inft.errors import ConfigError, disk_error
from inft.profiles import OpenProfile, list_profiles, to_item
from inft.profiles.knobs import describe_fields
from inft.profiles.source import parse_source, read_profile_text
from inft.wording import shown

NAME = re.compile(r"\w[\w.-]{0,79}")
"""As the run directories, which are called after the profile, may be."""


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
    text = changed_text(opened, overrides).replace(f"--profile {opened.path.stem}\n", f"--profile {name}\n")
    path = opened.root / "profiles" / f"{name}.toml"
    try:
        path.parent.mkdir(exist_ok=True)
        # What another program puts there this moment is not overwritten either.
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise _taken(name) from None
    except OSError as error:
        raise disk_error(error, path) from error
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
    """The profile's own text, as its file is now, with the values that `overrides` change in their places.

    Raises:
        ConfigError: the values are wrong, or do not go with what the file says now.
    """
    import tomlkit  # 30 ms, which only saving and launching take

    wanted = opened.resolve(overrides)
    name = opened.source.name
    document = tomlkit.parse(read_profile_text(opened.path, name))
    for info in describe_fields():
        # A table of texts may be changed in one of its entries, and is then stated as a whole.
        if wanted.origins[info.key] != "--set":
            continue
        holder = vars(wanted.config)[info.table] if info.table else wanted.config
        if info.table and info.table not in document:
            document[info.table] = tomlkit.table()
        place = document[info.table] if info.table else document
        place[info.name] = to_item(vars(holder)[info.name])
    text = tomlkit.dumps(document)
    again = OpenProfile(opened.path, parse_source(text, name), opened.root).resolve()
    if again.config != wanted.config:
        raise ConfigError(f"{name} was changed by another program meanwhile.", "Open it anew and change it again.")
    return text


def _taken(name: str) -> ConfigError:
    return ConfigError(f"There is a profile {shown(name)} already.", "Choose another name; nothing is overwritten.")
