"""Starts the processes of a run, such that nothing but themselves, a signal or the machine can end them.

Whoever wants a run starts its supervisor, and the supervisor starts the trainer, and the sampler of the hardware. Each
has a session of its own, so that neither Ctrl-C nor the end of a terminal reaches them, and writes to a file: a pipe
would block once nobody reads it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import inft
from inft.errors import disk_error
from inft.project import project_root
from inft.runs.directory import RunDirectory
from inft.runs.handover import SUPERVISED
from inft.runs.locks import ENVIRONMENT, OutputLocks
from inft.runs.status import Status, StatusFile

TRAINER_MODULE = "inft.trainer"
SUPERVISOR_MODULE = "inft.runs.supervisor"
SAMPLER_MODULE = "inft.runs.hardware"

# All run the code that launched them, whatever lies in the project's folder: -P keeps that folder, and a random.py or
# a second clone in it, out of the modules' way.
PACKAGES = Path(inft.__file__).resolve().parents[1]

# By default OpenMP's threads spin for long while they wait for one another. Where cores are shared they so keep each
# other from working: two demo runs on two cores took over 4 s per step, and 0.6 s with this count of turns; one alone
# 0.29 s and 0.27 s. (OMP_WAIT_POLICY=PASSIVE does the same for two, but costs the one alone: 0.36 s.)
CALM_THREADS = {"GOMP_SPINCOUNT": "2000"}


def supervisor_log(run: RunDirectory) -> Path:
    """What the supervisor has to say about itself; empty or absent unless something went wrong with it."""
    return run.path / "supervisor.log"


def start_supervisor(
    run: RunDirectory, *, locks: OutputLocks | None = None, module: str = TRAINER_MODULE
) -> subprocess.Popen[bytes]:
    """Starts the supervisor of `run`, which starts the trainer `python -m module RUN_DIRECTORY`.

    Args:
        run: the run, as `create_run` made it.
        locks: what the two processes hold from now on as well.
        module: the trainer.

    Returns:
        The supervisor, which ends when the run has ended, with the run's exit code.

    Raises:
        DiskError: the run's folder cannot be written.
    """
    # Until the supervisor says more; it is the one writer from here on.
    StatusFile(run.status_json).write(Status("queued"))
    return _start(
        SUPERVISOR_MODULE,
        [str(run.path.resolve()), module],
        output=supervisor_log(run),
        stdin=subprocess.DEVNULL,
        locks=locks,
    )


def start_trainer(
    run: RunDirectory, *, locks: OutputLocks | None = None, module: str = TRAINER_MODULE
) -> subprocess.Popen[bytes]:
    """Starts the trainer of `run` for its supervisor; it waits until its stdin is closed, see `inft.runs.handover`.

    Raises:
        DiskError: `console.log` cannot be written.
        OSError: there is no memory or no process number left for it.
    """
    return _start(
        module,
        [str(run.path.resolve())],
        output=run.console_log,
        stdin=subprocess.PIPE,
        locks=locks,
        environment={SUPERVISED: "1"},
    )


def start_sampler(
    run: RunDirectory, trainer: int, interval_s: float, output_dir: Path | None
) -> subprocess.Popen[bytes]:
    """Starts what writes `hardware.jsonl` until its stdin is closed.

    It is a program of its own rather than a fork of the supervisor. That would take 18 MB for both of them instead of
    25, but inherit whatever is open there, and of its threads only the one that forks.

    Args:
        run: the run.
        trainer: the number of its process.
        interval_s: from one sample to the next.
        output_dir: where checkpoints go, for the space left there; None = not known.

    Raises:
        DiskError: the supervisor's log, to which it complains, cannot be written.
        OSError: there is no memory or no process number left for it.
    """
    folders = [] if output_dir is None else [str(output_dir.resolve())]
    return _start(
        SAMPLER_MODULE,
        [str(trainer), str(interval_s), str(run.hardware.resolve()), *folders],
        output=supervisor_log(run),
        stdin=subprocess.PIPE,
        locks=None,
    )


def _start(
    module: str,
    arguments: Sequence[str],
    *,
    output: Path,
    stdin: int,
    locks: OutputLocks | None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """`python -m module arguments` at the project's root, its stdout and stderr appended to `output`."""
    try:
        log = output.open("ab")
    except OSError as error:
        raise disk_error(error, output) from error
    with log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=project_root(),
            env={**_environment(), **(locks.environment if locks else {}), **(environment or {})},
            start_new_session=True,
            pass_fds=locks.descriptors if locks else (),
        )


def _environment() -> dict[str, str]:
    """Ours, such that the last lines before a crash are in the log, and a caption in any locale can be."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(dict.fromkeys(filter(None, [str(PACKAGES), *inherited])))
    own = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    # Locks that this process inherited are not meant for a run that it starts without any.
    others = {key: value for key, value in os.environ.items() if key != ENVIRONMENT}
    return {**CALM_THREADS, **others, **own}
