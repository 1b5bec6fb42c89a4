"""Making a run and starting its supervisor: what `--headless` and `resume` have in common."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from inft.config import Config
from inft.errors import DiskError
from inft.profiles import to_toml
from inft.project import inside, project_root
from inft.runs.directory import Origin, RunDirectory, create_run, link_latest, logs_folder
from inft.runs.inspect import Inspector, is_at_work_in_sight
from inft.runs.launch import TRAINER_MODULE, say_queued, start_supervisor
from inft.runs.locks import OutputLocks
from inft.runs.narrate import narrate
from inft.runs.visible import visible
from inft_tui.ctrl_c import CtrlC
from inft_tui.terminal import err


@dataclass(frozen=True)
class Launched:
    """A run that has just begun.

    Attributes:
        config: what it runs.
        inspector: of the run.
        supervisor: the process that watches over it.
        ctrl_c: held back since before that process was started, until somebody can say what becomes of the run.
    """

    config: Config
    inspector: Inspector
    supervisor: subprocess.Popen[bytes]
    ctrl_c: CtrlC

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
        NotReadyError: no process can be started.
    """
    root = project_root()
    folders = [
        inside(root, config.output_dir, config.output_dir_key),
        inside(root, config.best_model_dir, config.best_model_dir_key),
    ]
    ctrl_c = CtrlC()
    run = create_run(config, to_toml(config), argv=argv, origin=origin)
    try:
        say_queued(run)  # the locks may take a minute, and those who look at the run should not call it dead
        # With --force, somebody vouches that a machine which cannot be seen from here is gone.
        going_on = is_at_work_in_sight if origin is not None and origin.forced else None
        with OutputLocks.acquire(folders, run, going_on=going_on) as locks:
            inspector = Inspector(run)
            ctrl_c.hold_back()
            supervisor = start_supervisor(run, locks=locks, module=module)  # which has the locks from here on
    except BaseException:
        # It was never more than a name to hold the locks by.
        shutil.rmtree(run.path, ignore_errors=True)
        ctrl_c.restore()
        raise
    _link(config, run)
    return Launched(config, inspector, supervisor, ctrl_c)


def _link(config: Config, run: RunDirectory) -> None:
    """Points the link of the newest run at this one, which goes on without it."""
    try:
        no_link = link_latest(logs_folder(config), config.task_tag, run)
    except DiskError as error:
        err(visible(f"warning: {error}"))
    else:
        if no_link is not None:
            err(narrate(no_link))
