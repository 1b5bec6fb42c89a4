"""What is merged: a run's final adapters, one of its checkpoints, or any folder of adapters with a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.adapters.files import DESCRIPTION
from inft.adapters.origin import final_adapters, origin_of
from inft.config import Config
from inft.errors import ConfigError, InftError
from inft.profiles import load_config, resolve
from inft.project import inside, project_root
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run
from inft.runs.results import Result
from inft.runs.saved import home_of
from inft.runs.visible import visible


@dataclass(frozen=True)
class Source:
    """Adapters and what they belong to.

    Attributes:
        folder: where the adapters lie.
        config: of the run that trained them, or as a person states it.
        root: the project's root, which the relative paths of `config` start at.
        result: whose they are, if that is known.
        beside: the folder that the merged model goes to unless a person says otherwise.
    """

    folder: Path
    config: Config
    root: Path
    result: Result | None
    beside: Path

    @property
    def title(self) -> str:
        """What a person calls them."""
        if self.result is None:
            return str(self.folder)
        return f"{self.result.run_id} (step {self.result.step:,})"

    @property
    def default_output(self) -> Path:
        """The merged model's folder unless a person says otherwise, named after the run."""
        if self.result is None:
            return self.beside / f"{self.folder.name}-merged"
        return self.beside / f"{self.result.run_id}-step{self.result.step}-merged"


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
    if (folder / DESCRIPTION).is_file():
        return _of_folder(folder.absolute(), logs_dir, profile, overrides)
    run = find_run(name, logs_dir)
    if profile is not None or overrides:
        raise ConfigError(
            f"{visible(run.run_id)} has a configuration of its own, which --profile and --set would contradict.",
            "Leave them out; they are for folders of adapters that no known run has trained.",
        )
    return _of_run(run)


def _of_run(run: RunDirectory) -> Source:
    folder, result = final_adapters(run)
    config = load_config(run.config_toml)
    return Source(folder, config, home_of(run, config), result, folder.parent)


def _of_folder(folder: Path, logs_dir: Path | None, profile: str | None, overrides: Sequence[str]) -> Source:
    result = origin_of(folder)
    if profile is not None:
        return Source(folder, resolve(profile, overrides).config, project_root(), result, folder.parent)
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
    root = home_of(run, config)
    beside = folder.parent
    if folder.resolve().is_relative_to(inside(root, config.output_dir, config.output_dir_key).resolve()):
        # Where checkpoints come and go, nothing else should lie.
        beside = inside(root, config.best_model_dir, config.best_model_dir_key).parent
    return Source(folder, config, root, result, beside)
