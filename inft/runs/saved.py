"""What a run has saved: which folder its checkpoints lie in, and the newest one that is complete."""

from __future__ import annotations

import os
from pathlib import Path

from inft.config import Config
from inft.errors import InftError
from inft.project import inside, project_root
from inft.runs.checkpoints import Checkpoint, newest
from inft.runs.directory import RunDirectory
from inft.runs.lineage import ancestors


def home_of(run: RunDirectory, config: Config) -> Path:
    """The project's root that the relative paths of a run start from.

    The run lies in `basic.logs_dir` below it. Where that is absolute it tells nothing, and the present project is it.

    Raises:
        ConfigError: `INFT_HOME` names no folder.
    """
    logs_dir = Path(os.path.normpath(config.basic.logs_dir))
    parent = run.path.absolute().parent
    if not logs_dir.is_absolute() and parent.parts[-len(logs_dir.parts) :] == logs_dir.parts:
        return parent.parents[len(logs_dir.parts) - 1]
    return project_root()


def checkpoint_folder(run: RunDirectory, config: Config) -> Path:
    """Where the checkpoints of `run` go.

    Raises:
        ConfigError: the folder leads out of the project.
    """
    return inside(home_of(run, config), config.output_dir, config.output_dir_key)


def last_checkpoint(run: RunDirectory) -> Checkpoint | None:
    """The newest complete checkpoint of `run`; if it has none, of the run it continues, and so on; None if none has.

    A run that cannot be read has none.
    """
    from inft.profiles import load_config  # 50 ms that only a look for checkpoints needs

    for run_id in ancestors(run):
        before = RunDirectory(run.path.with_name(run_id))
        try:
            found = newest(checkpoint_folder(before, load_config(before.config_toml)), [run_id])
        except InftError:
            continue
        if found is not None:
            return found
    return None
