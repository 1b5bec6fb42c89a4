"""Making a run and starting its supervisor: what `--headless` and `resume` have in common."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from inft.config import Config
from inft.profiles import to_toml
from inft.project import inside, project_root
from inft.runs.directory import Origin, RunDirectory, create_run, link_latest, logs_folder
from inft.runs.inspect import Inspector, is_at_work_in_sight
from inft.runs.launch import TRAINER_MODULE, start_supervisor
from inft.runs.locks import OutputLocks
from inft.runs.narrate import narrate
from inft_tui.terminal import err


@dataclass(frozen=True)
class Launched:
    """A run that has just begun.

    Attributes:
        config: what it runs.
        inspector: of the run.
        supervisor: the process that watches over it.
    """

    config: Config
    inspector: Inspector
    supervisor: subprocess.Popen[bytes]

    @property
    def run(self) -> RunDirectory:
        """The run."""
        return self.inspector.run


def launch(
    config: Config, *, argv: Sequence[str], origin: Origin | None = None, module: str = TRAINER_MODULE
) -> Launched:
    """Makes a run and starts it.

    Args:
        config: what to run.
        argv: the command that asked for it, for the record.
        origin: what it continues; None = it starts afresh.
        module: the trainer, started as `python -m module RUN_DIRECTORY`.

    Raises:
        ConfigError: the configuration cannot be used, or another run writes to one of its folders.
        DiskError: the run's folder or a lock cannot be written.
    """
    root = project_root()
    folders = [
        inside(root, config.output_dir, config.output_dir_key),
        inside(root, config.best_model_dir, config.best_model_dir_key),
    ]
    run = create_run(config, to_toml(config), argv=argv, origin=origin)
    try:
        # With --force, somebody vouches that a machine which cannot be seen from here is gone.
        going_on = is_at_work_in_sight if origin is not None and origin.forced else None
        locks = OutputLocks.acquire(folders, run, going_on=going_on)
    except BaseException:
        # It was never more than a name to hold the locks by.
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    with locks:  # the supervisor and the trainer have them from here on
        no_link = link_latest(logs_folder(config), config.task_tag, run)
        if no_link is not None:
            err(narrate(no_link))
        supervisor = start_supervisor(run, locks=locks, module=module)
    return Launched(config, Inspector(run), supervisor)
