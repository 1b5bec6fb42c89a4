"""What can be known of a model that is to make captions before the libraries are loaded that make them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inft.adapters.files import DESCRIPTION, WEIGHTS
from inft.adapters.origin import final_adapters, origin_of
from inft.config import Config
from inft.errors import ConfigError, InftError
from inft.merging.record import read_record
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run
from inft.wording import shown

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")

DIGITS = 8
"""Of a digest, in a name: enough to tell apart what one person makes."""


@dataclass(frozen=True)
class AskedModel:
    """A model as a person names it.

    Attributes:
        name: what a file is called after it; of adapters it tells those apart that came to lie in one folder one after
            the other.
        config: what it is loaded and prompted by; None where only the program that loads it finds that out.
    """

    name: str
    config: Config | None


def asked_model(model: str, profile: str | None, overrides: Sequence[str]) -> AskedModel:
    """The model called `model`, see `inft.captioning.chosen`.

    Args:
        model: a run, a folder or a hub id.
        profile: goes before the configuration of the run that trained it.
        overrides: each "table.key=value", and goes before both.

    Raises:
        ConfigError: there is no such run, it has no adapters yet, or its configuration cannot be used.
        DataError: it is a checkpoint, and not whole.
        DiskError: something of it cannot be read.
    """
    path = _path(model)
    stated = None if profile is None else resolve(profile, overrides).config
    if path is not None and path.is_dir() and not RunDirectory(path).run_json.is_file():
        name = f"{path.absolute().parent.name}-{path.absolute().name}"
        if (path / DESCRIPTION).is_file():
            name += f"-{_digest(path / WEIGHTS)}"
        run = _run_of(path)
        if stated is None and run is not None:
            stated = resolve(str(run.config_toml), overrides).config
        return AskedModel(name, stated)
    if path is not None and path.is_file() and not RunDirectory(path.parent).run_json.is_file():
        raise ConfigError(
            f"--model {shown(model)} is a file, and a model is not.",
            "Name a run, a folder of adapters or of a model, or a hub id; a profile's file is named by --profile.",
        )
    if path is None and HUB_ID.fullmatch(model):
        return AskedModel(model, stated)
    if path is None and os.sep in model:
        raise ConfigError(f"There is no folder {shown(model)}.", "Name a run, a folder or a hub id.")
    run = find_run(model)
    config = stated or resolve(str(run.config_toml), overrides).config
    final_adapters(run)  # it says where there are none
    return AskedModel(run.run_id, config)


def _path(model: str) -> Path | None:
    with suppress(RuntimeError, ValueError, OSError):
        path = Path(model).expanduser()
        return path if model and path.exists() else None
    return None  # no path can be called so


def _run_of(folder: Path) -> RunDirectory | None:
    """The run that trained adapters or a merged model, where it is one of those that ids are looked up among."""
    run_id = _run_id(folder)
    if run_id is not None:
        with suppress(InftError):
            run = find_run(run_id)
            return run if run.run_id == run_id and run.config_toml.is_file() else None
    return None


def _run_id(folder: Path) -> str | None:
    if (folder / DESCRIPTION).is_file():
        origin = origin_of(folder)
        return None if origin is None else origin.run_id
    with suppress(ConfigError):
        run_id = read_record(folder).get("run_id")
        return run_id if isinstance(run_id, str) else None
    return None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    except OSError:
        return "none"  # who loads them says that they are not there
