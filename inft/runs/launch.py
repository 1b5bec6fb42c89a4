"""Starts a trainer that nothing but itself, a signal or the machine can end."""

from __future__ import annotations

import os
import subprocess
import sys

from inft.errors import disk_error
from inft.project import project_root
from inft.runs.directory import RunDirectory

TRAINER_MODULE = "inft.pipeline"

# By default OpenMP's threads spin for long while they wait for one another. Where cores are shared they so keep each
# other from working: two demo runs on two cores took over 4 s per step, and 0.6 s with this count of turns; one alone
# 0.29 s and 0.27 s. (OMP_WAIT_POLICY=PASSIVE does the same for two, but costs the one alone: 0.36 s.)
CALM_THREADS = {"GOMP_SPINCOUNT": "2000"}


def start_trainer(run: RunDirectory, module: str = TRAINER_MODULE) -> subprocess.Popen[bytes]:
    """Starts `python -m module RUN_DIRECTORY` at the project's root.

    The process has a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it, and writes to
    `console.log` rather than to a pipe, which would block it once nobody reads.

    Raises:
        DiskError: `console.log` cannot be written.
    """
    try:
        console = run.console_log.open("ab")
    except OSError as error:
        raise disk_error(error, run.console_log) from error
    with console:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(run.path.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            cwd=project_root(),
            env=_environment(),
            start_new_session=True,
            close_fds=True,
        )


def _environment() -> dict[str, str]:
    """Ours, such that the last lines before a crash are in the log, and a caption in any locale can be."""
    own = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    return {**CALM_THREADS, **os.environ, **own}
