"""Starts the processes of a run, such that nothing but themselves, a signal or the machine can end them.

Whoever wants a run starts its supervisor, and the supervisor starts the trainer, and the sampler of the hardware. Each
has a session of its own, so that neither Ctrl-C nor the end of a terminal reaches them, and writes to a file: a pipe
would block once nobody reads it.
"""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import inft
from inft.errors import NotReadyError, disk_error
from inft.machine.processes import this_process
from inft.project import cache_dir, project_root
from inft.runs.directory import RunDirectory
from inft.runs.handover import SUPERVISED
from inft.runs.locks import ENVIRONMENT, OutputLocks
from inft.runs.status import Pids, Status, StatusFile

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

# PyTorch's allocator else keeps memory in blocks of the sizes that were asked for, and rows differ in length: what lies
# between the blocks would eat up the margin that a plan leaves. Torch reads the second name after the first.
GROWING_SEGMENTS = {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
ALLOCATOR_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")


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
        NotReadyError: there is no memory or no process number left for it.
    """
    say_queued(run)  # until the supervisor says more; it is the one writer from here on
    try:
        return _start(
            SUPERVISOR_MODULE,
            [os.path.abspath(run.path), module],
            output=supervisor_log(run),
            stdin=subprocess.DEVNULL,
            locks=locks,
        )
    except OSError as error:
        raise NotReadyError(
            f"The run's supervisor could not be started: {(error.strerror or str(error)).lower()}.",
            "Free memory or end other processes.",
        ) from error


def say_queued(run: RunDirectory) -> None:
    """Writes down that this process is about to start the run, for those who look meanwhile.

    Raises:
        DiskError: the run's folder cannot be written.
    """
    StatusFile(run.status_json).write(Status("queued", Pids(supervisor=this_process())))


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
        [os.path.abspath(run.path)],
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
    folders = [] if output_dir is None else [os.path.abspath(output_dir)]
    return _start(
        SAMPLER_MODULE,
        [str(trainer), str(interval_s), os.path.abspath(run.hardware), *folders],
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
    with log, _warnings_held_back():
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


@contextmanager
def _warnings_held_back() -> Iterator[None]:
    """What is started in here has SIGUSR1 and SIGUSR2 blocked from its first moment.

    A batch scheduler sends one of them to all processes of a job that nears its end, and by default they kill. The
    trainer unblocks SIGUSR1 once it can honour it, see `inft.training.control`; until then the kernel keeps it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Ours, such that the last lines before a crash are in the log, and a caption in any locale can be.

    Relative paths are made absolute, since the child starts in another folder.
    """
    own = {
        **own_path(),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "INFT_HOME": str(project_root()),
    }
    if os.environ.get("INFT_CACHE"):
        own["INFT_CACHE"] = str(cache_dir())
    # Locks that this process inherited are not meant for a run that it starts without any.
    others = {key: value for key, value in os.environ.items() if key != ENVIRONMENT}
    allocator = {} if any(name in os.environ for name in ALLOCATOR_VARIABLES) else GROWING_SEGMENTS
    return {**CALM_THREADS, **allocator, **others, **own}


def own_path() -> dict[str, str]:
    """PYTHONPATH for a child with `-P`: our packages, and what it held, its relative paths made absolute."""
    inherited = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([*search_path(PACKAGES), *inherited]))}


def search_path(packages: Path) -> list[str]:
    """What PYTHONPATH must hold so that a child finds our packages in the folder `packages`.

    Nothing where Python looks anyway: PYTHONPATH goes before the standard library, and a package installed there may
    have a module of the same name as one of it.
    """
    standard = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        standard.append(site.getusersitepackages())
    found_anyway = {os.path.realpath(folder) for folder in standard}
    return [] if os.path.realpath(packages) in found_anyway else [str(packages)]
