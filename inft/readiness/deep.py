"""What a run computes with, tried out by `inft.probe` in a process of its own."""

from __future__ import annotations

import signal

import msgspec

from inft.readiness.check import Check, green, red
from inft.readiness.child import Child, Outcome

PROBE = "inft.probe"
LIMIT_S = 120.0
"""The first import of torch from a slow disk takes a minute."""

NAME = "deep"

_FIX = "Reinstall torch and bitsandbytes for this machine's driver; `python -m inft.probe` shows all of it."


class _Trial(msgspec.Struct):
    name: str
    passed: bool
    message: str
    fix: str = ""


def probe(module: str = PROBE, limit_s: float = LIMIT_S, *, expects_gpu: bool) -> list[Check]:
    """A check for each thing that was tried; one red one where the trial itself came to nothing.

    Args:
        module: the program.
        limit_s: how long it may take.
        expects_gpu: whether torch has to see a GPU.
    """
    try:
        outcome = Child(module, ["--gpu"] if expects_gpu else []).outcome(limit_s)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return [red(NAME, f"The probe could not be started: {reason}.", "Free memory or end other processes.")]
    return judge_probe(outcome, limit_s)


def judge_probe(outcome: Outcome, limit_s: float) -> list[Check]:
    """What came of the probe."""
    if outcome.code is None:
        return [
            red(NAME, f"The probe did not end within {limit_s:.0f} s.", "See whether nvidia-smi answers, and reboot.")
        ]
    if outcome.code < 0:
        return [red(NAME, f"The probe was ended by {_signal(-outcome.code)}.", _FIX)]
    try:
        trials = msgspec.json.decode(outcome.stdout.splitlines()[-1], type=list[_Trial])
    except (msgspec.DecodeError, IndexError):
        words = outcome.last_words or f"exit code {outcome.code}"
        return [red(NAME, f"The probe failed: {words.rstrip('.')}.", _FIX)]
    return [
        green(f"{NAME}: {trial.name}", trial.message)
        if trial.passed
        else red(f"{NAME}: {trial.name}", trial.message, trial.fix or _FIX)
        for trial in trials
    ]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
