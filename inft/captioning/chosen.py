"""Which model a person means: a run, a folder of adapters, a whole model, or one of the two on the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from inft.adapters.files import DESCRIPTION as ADAPTERS
from inft.adapters.files import WEIGHTS
from inft.adapters.origin import final_adapters, origin_of
from inft.config import Config
from inft.errors import ConfigError, HubError, InftError
from inft.models.checkpoint import DESCRIPTION, Progress, fetch_repository
from inft.models.checkpoint_files import MODEL_SUFFIXES
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from inft.profiles import resolve
from inft.project import project_root
from inft.runs.bases import BaseIdentity
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run
from inft.runs.saved import home_of
from inft.wording import shown

MERGED = "merge.json"

USUAL_PROFILES: dict[FamilyName, str] = {"llama32": "llama_basic", "aya": "aya_basic"}
"""What says how a whole model is prompted, and on which corpus, where nothing else does."""

Bits = Literal["4", "16"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_FILES = tuple(f"*{suffix}" for suffix in MODEL_SUFFIXES)


@dataclass(frozen=True)
class ChosenModel:
    """What is loaded, and how rows are put to it.

    Attributes:
        name: as the person wrote it.
        config: base, precision, prompt and corpus.
        root: what the configuration's relative paths start at.
        adapters: the folder of the adapters; None = the model is whole.
        trained_on: the adapters' base; None = they do not say.
        run_id: of the run that trained it; None = not known.
    """

    name: str
    config: Config
    root: Path
    adapters: Path | None
    trained_on: BaseIdentity | None
    run_id: str | None


def choose_model(
    name: str, *, profile: str | None, overrides: Sequence[str], bits: Bits | None, progress: Progress
) -> ChosenModel:
    """The model called `name`; of one on the hub all files are fetched.

    Args:
        name: a run id, the beginning of only one, `latest`, a run's folder, a folder of adapters or of a whole model,
            or the hub id of either.
        profile: goes before the configuration of the run that trained it.
        overrides: each "table.key=value", and goes before both.
        bits: what the base's linear layers are loaded in; None = adapters: as they were trained; a whole model: 16.
        progress: bytes fetched.

    Raises:
        ConfigError: there is no such model, its run still goes on, or nothing says how it is prompted.
        DataError: it is a checkpoint, and not whole.
        HubError: it cannot be fetched.
    """
    stated = [*overrides, *_precision(bits)]
    folder = _folder(name, progress)
    if folder is None:
        return _of_run(name, find_run(name), profile, stated)
    if (folder / ADAPTERS).is_file():
        return _of_adapters(name, folder, profile, stated)
    if (folder / DESCRIPTION).is_file():
        return _of_whole(name, folder, profile, stated if bits else [*stated, *_precision("16")])
    if RunDirectory(folder).run_json.is_file():
        return _of_run(name, RunDirectory(folder), profile, stated)
    raise ConfigError(
        f"{shown(name)} holds neither {ADAPTERS} nor {DESCRIPTION}, so it is no model, and it is no run's folder.",
        "Name a run, a folder of adapters, a folder of a whole model, or a hub id.",
    )


def _precision(bits: Bits | None) -> tuple[str, ...]:
    if bits is None:
        return ()
    return ("qlora.load_in_4bit=true",) if bits == "4" else ("qlora.load_in_4bit=false", "qlora.hold_dequantized=false")


def _folder(name: str, progress: Progress) -> Path | None:
    """The folder that `name` is, or was fetched to; None = it can only be a run."""
    try:
        path = Path(name).expanduser()
        if name and path.is_dir():
            return path
    except (RuntimeError, ValueError, OSError):
        raise ConfigError(f"{shown(name)} is not a path.", "Name a run, a folder or a hub id.") from None
    if not _HUB_ID.fullmatch(name) or name.startswith((".", "~")):
        if os.sep in name and not path.exists():
            raise ConfigError(f"There is no folder {shown(name)}.", "Name a run, a folder or a hub id.")
        return None
    try:
        return fetch_repository(name, _HUB_FILES, progress)
    except HubError as error:
        raise HubError(
            f"There is no folder {shown(name)}, and as a hub id it cannot be had: {error.message}", error.fix
        ) from error


def _of_run(name: str, run: RunDirectory, profile: str | None, overrides: Sequence[str]) -> ChosenModel:
    config = resolve(profile or str(run.config_toml), overrides).config
    folder, result = final_adapters(run)
    return ChosenModel(name, config, home_of(run, config), folder, None if result is None else result.base, run.run_id)


def _of_adapters(name: str, folder: Path, profile: str | None, overrides: Sequence[str]) -> ChosenModel:
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{folder} holds no {WEIGHTS}.", "Copy the adapters again.")
    result = origin_of(folder)
    run_id = None if result is None else result.run_id
    run = _run_of(run_id)
    if profile is None and run is None:
        unknown = "They do not say which run they are of" if run_id is None else f"Their run {run_id} is not here"
        raise ConfigError(
            f"Nothing says how the adapters in {folder} were trained: {unknown[0].lower()}{unknown[1:]}.",
            "Name the profile that they were trained with, as in --profile aya_basic.",
        )
    config = resolve(profile or str(run.config_toml if run else None), overrides).config
    root = project_root() if run is None or profile else home_of(run, config)
    return ChosenModel(name, config, root, folder, None if result is None else result.base, run_id)


def _of_whole(name: str, folder: Path, profile: str | None, overrides: Sequence[str]) -> ChosenModel:
    run_id = _merged_from(folder)
    run = _run_of(run_id)
    if profile is None:
        profile = USUAL_PROFILES[_family(folder)] if run is None else str(run.config_toml)
    config = resolve(profile, overrides).config
    whole = folder.absolute()
    config = replace(config, basic=replace(config.basic, model_source="folder", model_path=str(whole)))
    return ChosenModel(name, config, project_root(), None, None, run_id)


def _run_of(run_id: str | None) -> RunDirectory | None:
    """The run, where it is one of those that ids are looked up among."""
    if run_id is not None:
        with suppress(InftError):
            run = find_run(run_id)
            return run if run.run_id == run_id and run.config_toml.is_file() else None
    return None


def _merged_from(folder: Path) -> str | None:
    """The run whose adapters were merged into a whole model; None if it does not say."""
    try:
        run_id = json.loads((folder / MERGED).read_bytes()).get("run_id")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return run_id if isinstance(run_id, str) else None


def _family(folder: Path) -> FamilyName:
    try:
        model_type = json.loads((folder / DESCRIPTION).read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        model_type = None
    for family in FAMILIES.values():
        if family.released_config().model_type == model_type:
            return family.name
    titles = " nor ".join(family.title for family in FAMILIES.values())
    raise ConfigError(
        f"{folder} holds a model of type {model_type!r}, which is neither {titles}.",
        "Captions are made by models of those families.",
    )
