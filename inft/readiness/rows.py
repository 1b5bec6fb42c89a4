"""The rows that a run trains on: what is known of them before it starts, how many steps they make, who is skipped."""

from __future__ import annotations

import math

from inft.config import Config
from inft.data.skips import MAX_SKIPPED_PERCENT, SkipReport
from inft.forecast.lengths import assumed_skipped_percent
from inft.forecast.statistics import Statistics
from inft.readiness.check import Check, amber, green, red

NAME = "rows"

_DESERVES_A_LOOK_PERCENT = 1.0
"""Of a large corpus a row or two are always broken."""

_STEP = 256
_LONGEST = 131072
"""Tokens: the most that basic.max_length may be."""


def judge_rows(config: Config, statistics: Statistics | None) -> Check:
    """How many rows and steps, and how many rows would be skipped; a run stops when those are too many."""
    return _judge_assumed(config) if statistics is None else _judge_measured(config, statistics)


def steps_text(config: Config, rows: int) -> str:
    """Rows and optimiser steps of the run.

    An epoch has `ceil(rows / effective batch)` steps, as transformers' Trainer counts them.
    """
    batch = config.effective_batch
    per_epoch = -(-rows // batch)
    limit = config.sft.max_steps
    if limit is not None:
        epochs = f"{limit / per_epoch:.2g}" if limit < 10 * per_epoch else f"{limit / per_epoch:.0f}"
        return f"{rows:,} rows, {batch} per step: {limit:,} steps (sft.max_steps), {epochs} epochs"
    steps = math.ceil(config.sft.num_epochs * per_epoch)
    epochs = f"{config.sft.num_epochs:g} {'epoch' if config.sft.num_epochs == 1 else 'epochs'}"
    return f"{rows:,} rows, {batch} per step: {steps:,} {'step' if steps == 1 else 'steps'} in {epochs}"


def _judge_measured(config: Config, statistics: Statistics) -> Check:
    choosing = statistics.choosing
    chosen = SkipReport.of(choosing.seen, choosing.skipped)
    report = SkipReport.of(statistics.rows, statistics.unusable, needed=statistics.needed)
    for looked_at, what in ((chosen, "of the corpus"), (report, "to train on")):
        if looked_at.too_many():
            error = looked_at.error(what)
            return red(NAME, error.message, error.fix)
    words = steps_text(config, statistics.rows)
    if not report.total_skipped:
        return green(NAME, f"{words}.")
    causes = ", ".join(f"{one.words} {one.rows:,}" for one in report.causes)
    words += f"; {report.total_skipped:,} of them ({_percent(report.percent)}) will be skipped: {causes}"
    if report.percent < _DESERVES_A_LOOK_PERCENT:
        return green(NAME, f"{words}.")
    return amber(NAME, f"{words}.", report.error("to train on").fix)


def _judge_assumed(config: Config) -> Check:
    if config.data.source == "demo":
        return green(NAME, "Their number and lengths are found out when the run starts.")
    limit = config.basic.max_length
    percent = assumed_skipped_percent(config.family, limit)
    if not percent:
        return green(NAME, "Not measured yet; their lengths are assumed to be like MUNIChus's.")
    told = (
        f"Of rows like MUNIChus's {_percent(percent)} would be skipped, since they do not fit basic.max_length = "
        f"{limit} even without their article"
    )
    enough = next(
        (length for length in range(_STEP, _LONGEST, _STEP) if not assumed_skipped_percent(config.family, length)),
        _LONGEST,
    )
    fix = f"Run with --set basic.max_length={enough}, or measure the rows first (inft-tui data)."
    # Of another corpus the assumption may be wrong, and then it must keep nobody from starting.
    if percent > MAX_SKIPPED_PERCENT and config.data.source == "hub":
        return red(NAME, f"{told}; a run stops above {MAX_SKIPPED_PERCENT} %.", fix)
    return amber(NAME, f"{told}.", fix)


def _percent(share: float) -> str:
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"
