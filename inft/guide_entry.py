"""The guide's own way to start a run: `--training-mode`, in this process, told line by line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from inft.errors import InftError
from inft.params import FamilyName, Mode
from inft.profiles import resolve, to_toml
from inft.runs.directory import RunDirectory, create_run, link_latest, logs_folder
from inft.runs.launch import CALM_THREADS
from inft.runs.narrate import Narrator, narrate
from inft.training.console import lossy_stream, steady_standard_streams

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
        The run's exit code.
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
        print(f"error: {error.message}\n  {error.fix}", file=sys.stderr)
        return int(error.exit_code)
    terminal = _keep_terminal(run)
    if no_link is not None:
        print(narrate(no_link), file=terminal)
    print(f"Run {run.run_id}, log {run.console_log}", file=terminal, flush=True)
    return _train(run, terminal)


def _keep_terminal(run: RunDirectory) -> TextIO:
    """Points stdout and stderr at `console.log` and returns the stdout there was; if it hangs up, the run goes on."""
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = lossy_stream(os.dup(1), owns=True)
    log = os.open(run.console_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    return terminal


def _train(run: RunDirectory, terminal: TextIO) -> int:
    for name, value in CALM_THREADS.items():
        os.environ.setdefault(name, value)  # read when torch is loaded, which is here
    from inft.runs.status import read_status
    from inft.trainer import run_to_end

    narrator = Narrator()

    def tell(event: dict[str, object]) -> None:
        line = narrator.line(event)
        if line is not None and event.get("level") != "error":  # the end, below, says it with the way out
            print(line, file=terminal, flush=True)

    code = run_to_end(run, [tell])
    status = read_status(run.status_json)
    if status is not None and status.cause is not None:
        print(f"{status.state}: {status.cause.message} {status.cause.fix}".rstrip(), file=terminal, flush=True)
    return int(code)
