"""What is merged: a run's final adapters, one of its checkpoints, or any folder of adapters with a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.errors import ConfigError, DataError, InftError
from inft.profiles import load_config, resolve
from inft.project import project_root
from inft.runs.checkpoints import read_complete
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run, reference
from inft.runs.inspect import inspect
from inft.runs.results import Result, read_result
from inft.runs.saved import home_of, last_checkpoint, saved_adapters
from inft.runs.visible import visible

ADAPTERS = "adapter_config.json"
"""The file by which a folder of adapters is known."""


@dataclass(frozen=True)
class Source:
    """Adapters and what they belong to.

    Attributes:
        folder: where the adapters lie.
        config: of the run that trained them, or as a person states it.
        root: the project's root, which the relative paths of `config` start at.
        result: whose they are, if that is known.
    """

    folder: Path
    config: Config
    root: Path
    result: Result | None

    @property
    def title(self) -> str:
        """What a person calls them."""
        if self.result is None:
            return str(self.folder)
        return f"{self.result.run_id} (step {self.result.step:,})"

    @property
    def default_output(self) -> Path:
        """Where the merged model goes unless a person says otherwise: beside the adapters, named after the run."""
        if self.result is None:
            return self.folder.with_name(f"{self.folder.name}-merged")
        return self.folder.with_name(f"{self.result.run_id}-step{self.result.step}-merged")


def find_source(name: str, logs_dir: Path | None, profile: str | None, overrides: Sequence[str]) -> Source:
    """The adapters that a person means.

    Args:
        name: a run as every command takes it, or a folder of adapters.
        logs_dir: where runs are looked up; None = the usual place.
        profile: of adapters that no known run has trained; its name or file.
        overrides: each "table.key=value", before the profile.

    Raises:
        ConfigError: there is no such run or folder, the run still goes on, or has no adapters.
        DiskError: something of it cannot be read.
    """
    folder = Path(name).expanduser()
    if (folder / ADAPTERS).is_file():
        return _of_folder(folder.absolute(), logs_dir, profile, overrides)
    run = find_run(name, logs_dir)
    if profile is not None or overrides:
        raise ConfigError(
            f"{visible(run.run_id)} has a configuration of its own, which --profile and --set would contradict.",
            "Leave them out; they are for folders of adapters that no known run has trained.",
        )
    return _of_run(run)


def _of_run(run: RunDirectory) -> Source:
    shown = visible(run.run_id)
    if inspect(run).alive:
        raise ConfigError(
            f"{shown} still goes on, and its adapters are written at its end.",
            f"Wait (`inft-tui status {reference(run)} --watch`), or name the folder of one of its checkpoints.",
        )
    config = load_config(run.config_toml)
    saved = saved_adapters(run)
    if saved is not None and saved.path is not None:
        return Source(saved.path, config, home_of(run, config), read_result(saved.path))
    where = "" if saved is None else f" in {saved.folder}"
    others = "" if saved is None or saved.others is None else f"; those there are of {visible(saved.others)}"
    checkpoint = last_checkpoint(run)
    fix = (
        f"Go on with it: `inft-tui resume {reference(run)}`."
        if checkpoint is None
        else f"Its last checkpoint can be merged, too: `inft-tui merge {checkpoint.path}`."
    )
    raise ConfigError(f"{shown} has no final adapters{where}{others}.", fix)


def _of_folder(folder: Path, logs_dir: Path | None, profile: str | None, overrides: Sequence[str]) -> Source:
    result = _result(folder)
    if profile is not None:
        return Source(folder, resolve(profile, overrides).config, project_root(), result)
    if overrides:
        raise ConfigError("--set changes a profile, and none is named.", "Add --profile.")
    if result is None:
        raise ConfigError(
            f"{folder} does not say which run its adapters are of.",
            "Name the profile that they were trained with: --profile P, with --set for what differed from it.",
        )
    try:
        run = find_run(result.run_id, logs_dir)
        config = load_config(run.config_toml)
    except InftError as error:
        raise ConfigError(
            f"The adapters in {folder} are of {visible(result.run_id)}, whose configuration cannot be had: "
            f"{error.message}",
            "Name where its run directory is (--logs DIR), or the profile that they were trained with (--profile P).",
        ) from error
    return Source(folder, config, home_of(run, config), result)


def _result(folder: Path) -> Result | None:
    """Whose adapters these are, by a final folder's own file or by a checkpoint's.

    Raises:
        DataError: it is a checkpoint, and not whole.
    """
    stated = read_result(folder)
    if stated is not None:
        return stated
    checkpoint = read_complete(folder)
    if checkpoint is None and folder.name.startswith("checkpoint-"):
        raise DataError(f"{folder} is no complete checkpoint.", "Name another one, or the run.")
    return None if checkpoint is None else Result(checkpoint.run_id, checkpoint.step)
