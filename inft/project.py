"""Where things lie: the project's root, what is shipped with it, the cache; and relative paths that stay inside."""

from __future__ import annotations

import os
from pathlib import Path

from inft.errors import ConfigError, DataError
from inft.wording import shown


def project_root() -> Path:
    """The folder that relative paths of a profile start from.

    `INFT_HOME` where it is set; else the nearest of the current folder and its ancestors that looks like a project of
    ours (a `profiles` folder with TOML files beside an `inft` folder or a `pyproject.toml`); else the current folder.

    Raises:
        ConfigError: `INFT_HOME` names no folder, or the current folder was deleted.
    """
    stated = os.environ.get("INFT_HOME")
    if stated:
        home = _expanded(stated, "INFT_HOME")
        if not os.path.isdir(home):
            raise ConfigError(f"INFT_HOME names {home}, which is not a folder.", "Correct it or unset it.")
        return home.resolve()
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise ConfigError("The current folder no longer exists.", "Change to another one, or set INFT_HOME.") from None
    return next((folder for folder in (here, *here.parents) if _is_project(folder)), here)


def bundled_profiles_dir() -> Path:
    """The profiles that come with the package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_profiles"
    return installed if installed.is_dir() else package.parent / "profiles"


def demo_folder() -> Path:
    """The bundled corpus.

    Raises:
        DataError: this installation lacks it.
    """
    folder = Path(__file__).resolve().parent / "data" / "demo"
    if not folder.is_dir():
        raise DataError(
            f"The bundled corpus is not at {folder}.", "Reinstall the package; it has to be installed as files."
        )
    return folder


def inside(root: Path, text: str, key: str) -> Path:
    """The path that `text` names.

    An absolute path (`~` included) is taken as it is; a relative one starts at `root` and may not climb out of it. The
    rule is about what is written: a folder inside `root` that is a link to another disk is the person's own choice.

    Args:
        root: the project's root.
        text: the path as the profile states it.
        key: dotted name of the parameter, for the message.

    Raises:
        ConfigError: a relative path that leads out of `root`, or a text that is no path.
    """
    if "\0" in text:
        raise ConfigError(f"{key} holds a NUL character, which no path can.", "Remove it.")
    path = _expanded(text, key)
    if path.is_absolute():
        return path
    joined = Path(os.path.normpath(root / path))
    if not joined.is_relative_to(os.path.normpath(root)):
        raise ConfigError(
            f"{key} = {shown(text)} leads out of the project's folder {root}.",
            "State an absolute path if that is meant.",
        )
    return joined


def cache_dir() -> Path:
    """Folder of what can be made again: `INFT_CACHE`, else `$XDG_CACHE_HOME/inft`, else `~/.cache/inft`.

    Raises:
        ConfigError: no variable is set and there is no home folder.
    """
    stated = os.environ.get("INFT_CACHE")
    if stated:
        return _expanded(stated, "INFT_CACHE").absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification asks that a relative value be ignored.
    base = Path(shared) if os.path.isabs(shared) else _expanded("~/.cache", "INFT_CACHE, which is not set: ~/.cache")
    return base / "inft"


def _is_project(folder: Path) -> bool:
    # os.path answers "no" for what may not be looked at, where pathlib raises.
    beside = os.path.isdir(folder / "inft") or os.path.isfile(folder / "pyproject.toml")
    return beside and any((folder / "profiles").glob("*.toml"))


def _expanded(text: str, key: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{key} = {shown(text)} starts at a home folder that does not exist.", "Write it out."
        ) from None
