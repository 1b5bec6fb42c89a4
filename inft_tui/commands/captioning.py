"""The captions that `score --model` scores, made by a program of the core, which has torch."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError, ExitCode, InftError
from inft.project import project_root
from inft.runs.launch import own_path
from inft_tui.commands.asked_model import DIGITS, AskedModel, asked_model
from inft_tui.commands.training_modules import require_training_libraries

MODULE = "inft.captioning"

FOLDER = "outputs/predictions"
"""Where captions go if nobody says, beside a project's models."""

COUNTS = ("--max-rows-per-lang", "--batch-size")

EXCLUSIVE = (("--split", "--held-out"), ("--in-4bit", "--in-16bit"))

NAMED_LANGUAGES = 4
"""In the name of a file; more of them are a digest."""

_NO_NAME = re.compile(r"[^\w.-]+")


class Terminated(KeyboardInterrupt):
    """A SIGTERM, which unlike Ctrl-C has come to this process alone."""


@dataclass(frozen=True)
class Captioning:
    """What `python -m inft.captioning` is asked for.

    Attributes:
        model: a run, a folder, or a hub id.
        output: the file; None for one in `FOLDER` that is called after the model, the split and what limits it.
        samples: draw tokens at random, as the guide's reference does.
        seed: of that.
        options: the values of its other options by their names; None, False and empty ones are not given.
    """

    model: str
    output: Path | None
    samples: bool
    seed: int
    options: Mapping[str, object]

    @property
    def overrides(self) -> list[str]:
        """Those of `--set`."""
        found = self.options.get("--set", [])
        return [str(one) for one in found] if isinstance(found, list) else []

    @property
    def profile(self) -> str | None:
        """That of `--profile`."""
        return str(self.options["--profile"]) if "--profile" in self.options else None


def asked_for(
    model: str | None, output: Path | None, options: Mapping[str, object], *, samples: bool, seed: int
) -> Captioning | None:
    """What is to be made; None where nothing is.

    Raises:
        ConfigError: there is no model, and options that only say how it makes captions; or they contradict each other.
    """
    given = {name: value for name, value in options.items() if not (value is None or value is False or value == [])}
    if model is not None:
        _check(given)
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


def _check(given: Mapping[str, object]) -> None:
    for name in COUNTS:
        number = given.get(name)
        if isinstance(number, int) and number < 1:
            raise ConfigError(f"{name} {number} cannot be used.", "Name a number from 1 on, or leave it out.")
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise ConfigError(f"{one} and {other} contradict each other.", "Leave one of them out.")


def look_up(asked: Captioning) -> AskedModel:
    """What is known of its model without the libraries that load it.

    Raises:
        ConfigError: there is no such run, or its configuration cannot be used.
        NotReadyError: the training libraries are not installed.
    """
    require_training_libraries()
    return asked_model(asked.model, asked.profile, asked.overrides)


def generate(asked: Captioning, model: AskedModel, languages: Sequence[str] | None) -> tuple[int, Path]:
    """Makes the captions that are not in the file yet.

    Args:
        asked: which.
        model: what `look_up` found.
        languages: None for those of the model's configuration.

    Returns:
        The exit code, and the file. The program has said on stderr what went wrong.

    Raises:
        InftError: a signal ended it.
    """
    output = asked.output or project_root() / FOLDER / default_name(asked, model, languages)
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
        except KeyboardInterrupt as end:
            if isinstance(end, Terminated):
                process.terminate()
            process.wait()  # the same Ctrl-C ends it, and it says what is in the file
            return ExitCode.STOPPED, output
    if code < 0:
        raise InftError(
            f"Making the captions was ended by signal {-code}; those that are done are in {output}.",
            "The same command goes on from there; with a smaller --batch-size, if that was for want of memory.",
        )
    return code, output


def default_name(asked: Captioning, model: AskedModel, languages: Sequence[str] | None) -> str:
    """What the file is called: other captions are another file, and the same command finds its own again."""
    parts = [model.name, "held-out" if "--held-out" in asked.options else str(asked.options.get("--split", "test"))]
    if languages is not None:
        names = sorted(languages)
        parts.append("-".join(names) if len(names) <= NAMED_LANGUAGES else f"{len(names)}-{_digest(names)}")
    if "--max-rows-per-lang" in asked.options:
        parts.append(f"at-most-{asked.options['--max-rows-per-lang']}")
    changed = [name for name in ("--profile", "--set", "--in-4bit", "--in-16bit") if name in asked.options]
    if changed:
        parts.append(f"with-{_digest(arguments_of({name: asked.options[name] for name in changed}))}")
    if asked.samples:
        parts.append(f"sampled-{asked.seed}")
    return f"{'-'.join(_NO_NAME.sub('-', part).strip('-.') for part in parts)}.jsonl"


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]
