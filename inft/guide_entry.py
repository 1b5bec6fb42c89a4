"""The guide's own way to start a run: `--training-mode`, in this process, told line by line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from inft.errors import InftError, disk_error
from inft.params import FamilyName, Mode
from inft.profiles import resolve, to_toml
from inft.runs.directory import RunDirectory, create_run, link_latest, logs_folder
from inft.runs.launch import CALM_THREADS
from inft.runs.narrate import Narrator, narrate
from inft.runs.redact import redact
from inft.runs.status import read_status
from inft.runs.visible import visible
from inft.training.console import lossy_stream, steady_standard_streams
from inft.training.leaving import leave

RECIPES: dict[tuple[FamilyName, Mode], str] = {
    ("llama32", "basic"): "llama_basic",
    ("llama32", "advanced"): "llama_adv",
    ("aya", "basic"): "aya_basic",
    ("aya", "advanced"): "aya_adv",
}


def run_guide(family: FamilyName, program: str, arguments: Sequence[str]) -> int:
    """Runs the family's recipe and tells of it on stdout; everything else goes to the run's `console.log`.

    Args:
        family: which recipe.
        program: name for the usage message.
        arguments: the command line without the program.

    Returns:
        The exit code of a run that could not be started. The end of a run is the end of this process.
    """
    steady_standard_streams()
    parser = argparse.ArgumentParser(prog=program, description="QLoRA fine-tuning as the guide has it.")
    parser.add_argument("--training-mode", choices=["basic", "advanced"], default="basic", help="default: basic")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter, as in sft.lr=1e-4; repeatable"
    )
    options = parser.parse_args(arguments)
    try:
        config = resolve(RECIPES[family, options.training_mode], options.set).config
        run = create_run(config, to_toml(config), argv=[program, *arguments])
        no_link = link_latest(logs_folder(config), config.task_tag, run)
    except InftError as error:
        return _refuse(error)
    try:
        stdout, stderr = _keep_terminal(run)
    except OSError as error:
        return _refuse(disk_error(error, run.console_log))
    if no_link is not None:
        print(narrate(no_link), file=stdout)
    print(visible(f"Run {run.run_id}, log {run.console_log}"), file=stdout, flush=True)
    _train(run, stdout, stderr)


def _refuse(error: InftError) -> int:
    print(f"error: {_safe(error.message)}\n  {_safe(error.fix)}", file=sys.stderr)
    return int(error.exit_code)


def _safe(text: str) -> str:
    """A cause may hold what a library, the hub or a file name says."""
    return visible(redact(text))


def _keep_terminal(run: RunDirectory) -> tuple[TextIO, TextIO]:
    """Points stdout and stderr at `console.log`.

    Returns:
        The stdout and stderr there were; if they hang up, the run goes on.

    Raises:
        OSError: `console.log` could not be opened; nothing is changed then.
    """
    log = os.open(run.console_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = lossy_stream(os.dup(1), owns=True), lossy_stream(os.dup(2), owns=True)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    return kept


def _train(run: RunDirectory, stdout: TextIO, stderr: TextIO) -> NoReturn:
    for name, value in CALM_THREADS.items():
        os.environ.setdefault(name, value)  # read when torch is loaded, which is here
    from inft.trainer import run_to_end

    narrator = Narrator()

    def tell(event: dict[str, object]) -> None:
        line = narrator.line(event)
        if line is not None and event.get("level") != "error":  # the end, below, says it with the way out
            print(line, file=stdout, flush=True)

    code = run_to_end(run, [tell], stderr)
    cause = _final_cause(run)
    if cause is not None:
        print(cause, file=stdout, flush=True)
    leave(code)


def _final_cause(run: RunDirectory) -> str | None:
    try:
        status = read_status(run.status_json)
    except OSError:
        return None  # it has been said
    if status is None or status.cause is None:
        return None
    return f"{status.state}: {_safe(f'{status.cause.message} {status.cause.fix}'.rstrip())}"
