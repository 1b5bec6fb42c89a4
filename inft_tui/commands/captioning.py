"""The captions that `score --model` scores, made by a program of the core, which has torch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError, ExitCode, InftError
from inft.project import project_root
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run
from inft.runs.launch import own_path
from inft_tui.commands.training_modules import require_training_libraries

MODULE = "inft.captioning"

FOLDER = "outputs/predictions"
"""Where captions go if nobody says, beside a project's models."""

_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Captioning:
    """What `python -m inft.captioning` is asked for.

    Attributes:
        model: a run, a folder, or a hub id.
        output: the file; None for one in `FOLDER` that is called after model and split.
        samples: draw tokens at random, as the guide's reference does.
        seed: of that.
        options: the values of its other options by their names; None, False and empty ones are not given.
    """

    model: str
    output: Path | None
    samples: bool
    seed: int
    options: Mapping[str, object]


def asked_for(
    model: str | None, output: Path | None, options: Mapping[str, object], *, samples: bool, seed: int
) -> Captioning | None:
    """What is to be made; None where nothing is.

    Raises:
        ConfigError: there is no model, and options that only say how it makes captions.
    """
    given = {name: value for name, value in options.items() if not (value is None or value is False or value == [])}
    if model is not None:
        return Captioning(model, output, samples, seed, given)
    idle = [*given, *(["--output"] if output else []), *(["--sample"] if samples else [])]
    if idle:
        raise ConfigError(
            f"{idle[0]} says how captions are made.", "Name the --model that makes them, or leave it out."
        )
    return None


def arguments_of(options: Mapping[str, object]) -> list[str]:
    """Options as a command line has them; one that has several values comes once with each."""
    found: list[str] = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        found += [name if one is True else f"{name}={one}" for one in values]
    return found


def generate(asked: Captioning, languages: Sequence[str] | None) -> tuple[int, Path]:
    """Makes the captions that are not in the file yet.

    Args:
        asked: which.
        languages: None for those of the model's configuration.

    Returns:
        The exit code, and the file. The program has said on stderr what went wrong.

    Raises:
        InftError: a signal ended it.
        NotReadyError: the training libraries are not installed.
    """
    require_training_libraries()
    output = asked.output or _default_output(asked)
    command = [sys.executable, "-P", "-m", MODULE, f"--model={asked.model}", f"--output={output}"]
    command += arguments_of(asked.options)
    command += [] if languages is None else [f"--languages={','.join(languages)}"]
    command += ["--sample", f"--seed={asked.seed}"] if asked.samples else []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # ours is for the scores
        env={**os.environ, **own_path()},
    ) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()  # the same Ctrl-C ends it, and it says so
            return ExitCode.STOPPED, output
    if code < 0:
        raise InftError(
            f"Making the captions was ended by signal {-code}; those that are done are in {output}.",
            "The same command goes on from there; with a smaller --batch-size, if that was for want of memory.",
        )
    return code, output


def _default_output(asked: Captioning) -> Path:
    name = _run_id(asked.model) or asked.model
    split = "held-out" if "--held-out" in asked.options else str(asked.options.get("--split", "test"))
    parts = [name, split, *([f"sampled-{asked.seed}"] if asked.samples else [])]
    return project_root() / FOLDER / f"{'-'.join(_NO_NAME.sub('-', part).strip('-.') for part in parts)}.jsonl"


def _run_id(model: str) -> str | None:
    """The id of the run that is meant, which `latest` will not mean for ever; None where it is no run."""
    try:
        run: RunDirectory = find_run(model)
    except ConfigError:
        return None
    return run.run_id
