"""Where the core's own commands end: whatever went wrong becomes one sentence and an exit code, never a traceback."""

from __future__ import annotations

import argparse
import ctypes
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from inft.errors import DISK_ERRNOS, ConfigError, ExitCode, InftError, disk_error
from inft.runs import events
from inft.runs.jsonl import strict
from inft.runs.redact import redact
from inft.runs.visible import visible

PR_SET_PDEATHSIG = 1  # linux/prctl.h

QUIET = {
    "DATASETS_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def quieten_libraries() -> None:
    """Keeps their remarks from between our lines; they must not be imported yet. Each can be set otherwise."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    warnings.simplefilter("ignore")


def end_with_parent() -> None:
    """Has the kernel send SIGTERM once the program that started this one is gone, however it ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


class Parser(argparse.ArgumentParser):
    """Raises what is wrong with a command line, so that it is said as everything else is."""

    def error(self, message: str) -> NoReturn:
        """Instead of leaving.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{message}.", f"`{self.prog} --help` shows what there is.")


def exit_code_of(
    command: Callable[[], None], *, as_json: bool, ends: Sequence[signal.Signals] = (signal.SIGINT,)
) -> int:
    """Runs `command` and gives the exit code for how it ended.

    Args:
        command: prints its result.
        as_json: also say an error as an alert event on stdout.
        ends: signals that end it, by a `KeyboardInterrupt` wherever it is; those that this process ignores do not.
    """
    told_to_end = False

    def end(number: int, frame: object) -> NoReturn:
        nonlocal told_to_end
        told_to_end = True
        raise KeyboardInterrupt

    for number in ends:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without Sinhala prints it in escapes
    try:
        command()
        sys.stdout.flush()
    except InftError as error:
        return _say(error, as_json=as_json)
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        # Its reader is gone (`| head`), which is no error; the interpreter would complain about that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect of ours must not print its traceback
        if told_to_end:  # some libraries lose the KeyboardInterrupt and stumble over what it left undone
            return _stopped()
        return _say(_named(error), as_json=as_json)
    return ExitCode.FINISHED


def _stopped() -> ExitCode:
    sys.stderr.write("Stopped.\n")
    return ExitCode.STOPPED


def write_json(record: dict[str, object]) -> None:
    """One line of JSON on stdout, in UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(strict(record)) + b"\n")
    sys.stdout.buffer.flush()


def _say(error: InftError, *, as_json: bool) -> int:
    with suppress(OSError):
        # A message about several problems has a line for each.
        for line in (
            redact(f"error: {error.message}\n  {error.fix if as_json else error.fix_with_details}")
            .rstrip()
            .splitlines()
        ):
            sys.stderr.write(visible(line) + "\n")
        sys.stderr.flush()
        if as_json:
            write_json(events.alert(level="error", kind=error.kind, message=error.message, fix=error.fix))
    return error.exit_code


def _named(error: Exception) -> InftError:
    """The error to say for one that nobody expected, with the one line of its traceback that says most."""
    if isinstance(error, OSError) and (error.errno in DISK_ERRNOS or isinstance(error, PermissionError)):
        return disk_error(error, error.filename or "the cache")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return InftError(
        f"This failed in a way it should not: {type(error).__name__}: {error}.",
        f"Please report it, with this place: {Path(frame.filename).name} line {frame.lineno}.",
    )
