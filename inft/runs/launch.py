"""Starts a trainer that nothing but itself, a signal or the machine can end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import inft
from inft.errors import disk_error
from inft.project import project_root
from inft.runs.directory import RunDirectory
from inft.runs.status import Status, StatusFile

TRAINER_MODULE = "inft.pipeline"

# The trainer runs the code that launched it, whatever lies in the project's folder: -P keeps that folder, and a
# random.py or a second clone in it, out of the modules' way.
PACKAGES = Path(inft.__file__).resolve().parents[1]

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
    StatusFile(run.status_json).write(Status("queued"))  # until the trainer, the one writer from here on, says more
    with console:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(run.path.resolve())],
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
    path = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    return {**CALM_THREADS, **os.environ, **own}
