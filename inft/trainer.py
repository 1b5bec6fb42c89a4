"""The trainer's process: `python -P -m inft.trainer RUN_DIRECTORY`.

It says who it is and can be stopped before the seconds in which the libraries are loaded, and it records how the run
ended, whatever ended it. The training itself is `inft.pipeline`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn, TextIO

from inft.config import Config
from inft.errors import (
    DISK_ERRNOS,
    DiskError,
    ExitCode,
    InftError,
    LibraryError,
    disk_error,
    first_line,
    internal_error,
)
from inft.loading import quick_loading
from inft.machine.processes import this_process
from inft.profiles import load_config
from inft.project import inside, project_root
from inft.runs import events
from inft.runs.console_log import LINES
from inft.runs.directory import RunDirectory
from inft.runs.handover import take_over
from inft.runs.locks import ENVIRONMENT, OutputLocks
from inft.runs.records import unreadable
from inft.runs.redact import redact
from inft.runs.status import Cause, Pids, Status, StatusFile
from inft.runs.visible import visible
from inft.training.console import steady_standard_streams
from inft.training.control import RunControl
from inft.training.leaving import leave
from inft.training.report import Listener, RunReport


def run_to_end(run: RunDirectory, listeners: Iterable[Listener] = (), stderr: TextIO | None = None) -> ExitCode:
    """Trains as the run's `config.toml` says and records how that ended; raises nothing.

    Args:
        run: what to train.
        listeners: called with every event.
        stderr: where it is said why the run cannot even be recorded; None = on this process's own.
    """
    control = RunControl(run)
    with control.listening():
        pids = Pids(trainer=this_process())
        try:
            pids = take_over(run)
            report = RunReport(run, listeners, pids=pids)
        except (InftError, OSError) as error:
            cause = error if isinstance(error, InftError) else unreadable(error, run.status_json)
            (stderr or sys.stderr).write(visible(redact(f"{cause.message} {cause.fix}")) + "\n")
            failed = Cause(cause.kind, cause.message, cause.fix)
            with suppress(DiskError):  # a few bytes may fit where the log and its reserve did not
                StatusFile(run.status_json).write(
                    Status("failed", pids=pids, exit_code=int(cause.exit_code), cause=failed)
                )
            return cause.exit_code
        try:
            with control.watching(report):
                return _run(run, report, control)
        finally:
            report.close()


def _run(run: RunDirectory, report: RunReport, control: RunControl) -> ExitCode:
    locks: OutputLocks | None = None
    try:
        with control.interruptible():
            config, root = load_config(run.config_toml), project_root()
            locks = hold_outputs(run, config, root)
            pipeline = load_pipeline()
            code: ExitCode = pipeline.train(run, config, report, root, control)
            return code
    except KeyboardInterrupt:
        return _record_stop(report, control)
    except Exception as error:  # noqa: BLE001  # the process's edge: recorded by name, its traceback in console.log
        return _record_failure(report, error, run)
    finally:
        if locks is not None:
            locks.close()


def hold_outputs(run: RunDirectory, config: Config, root: Path) -> OutputLocks:
    """The locks of the folders that a run writes to: inherited from who started this process, or taken now.

    Raises:
        ConfigError: another run writes to one of them.
        DiskError: a lock file could not be written.
    """
    inherited = os.environ.pop(ENVIRONMENT, None)
    if inherited is not None:
        return OutputLocks.adopt(inherited)
    output_dir = inside(root, config.output_dir, config.output_dir_key)
    best_model_dir = inside(root, config.best_model_dir, config.best_model_dir_key)
    return OutputLocks.acquire([output_dir, best_model_dir], run)


def load_pipeline() -> ModuleType:
    """Imports the training, and with it torch and the libraries around it.

    Raises:
        LibraryError: one of them is missing, broken, or does not fit the others.
    """
    try:
        with quick_loading():
            from inft import pipeline
    except MemoryError:
        raise
    except Exception as error:  # a library built for another one may raise anything while it is loaded
        if _is_about_something_else(error):
            raise
        first = error
        while isinstance(first.__cause__, Exception):  # transformers wraps what really happened
            first = first.__cause__
        raise LibraryError(
            f"A library that training needs could not be loaded: {type(first).__name__}: {first_line(first)}",
            "Install the training libraries of this version into this environment: `pip install 'inft-tui[train]'`; "
            "console.log has the details.",
        ) from error
    return pipeline


def _is_about_something_else(error: Exception) -> bool:
    """Whether an import failed for a full disk, or for a defect in our own modules."""
    if isinstance(error, OSError) and error.errno in DISK_ERRNOS:
        return True
    if isinstance(error, ImportError | OSError):
        return False
    place = traceback.extract_tb(error.__traceback__)[-1].filename
    return Path(place).is_relative_to(Path(__file__).parent)


def _record_stop(report: RunReport, control: RunControl) -> ExitCode:
    """Writes down that the run was stopped where nothing was under way that could be saved."""
    traceback.print_exc()
    with suppress(DiskError):
        control.say()
        report.event(events.train_end(state="stopped", global_step=report.step))
    with suppress(DiskError):
        report.stopped(f"Stopped {control.stop or 'by Ctrl-C'} outside of training, with nothing to save.", "")
    return ExitCode.STOPPED


def _record_failure(report: RunReport, error: Exception, run: RunDirectory) -> ExitCode:
    """Writes down why the run failed, as far as the disk still takes it."""
    traceback.print_exc()
    cause = _named(error, run)
    unexplained = cause.kind == InftError.kind
    lines = [line for part in traceback.format_exception(error) for line in part.splitlines() if line.strip()]
    report.make_room()
    # The status comes last: whoever follows the run reads no further once that says that it is over.
    with suppress(DiskError):
        report.event(events.alert(level="error", kind=cause.kind, message=cause.message, fix=cause.fix_with_details))
        report.event(events.train_end(state="failed", global_step=report.step))
    with suppress(DiskError):
        report.failed(cause, lines[-LINES:] if unexplained else ())
    return cause.exit_code


def _named(error: Exception, run: RunDirectory) -> InftError:
    if isinstance(error, InftError):
        return error
    if "torch" not in sys.modules:  # it was just being loaded, and what knows torch's own exceptions cannot be
        if isinstance(error, OSError) and error.errno in DISK_ERRNOS:
            return disk_error(error, error.filename or run.path)
        return internal_error(error)
    from inft.training.failures import named_cause

    return named_cause(error, str(run.path))


def main() -> NoReturn:
    """The trainer's process."""
    steady_standard_streams()
    leave(run_to_end(RunDirectory(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
