"""How a run does its steps on the memory that there is: as configured, or the fastest way that fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.choice import Choice, choice_of, describe
from inft.forecast.lengths import LengthTable
from inft.forecast.memory import Forecast, forecast
from inft.forecast.speed import Speed
from inft.machine.units import GIB

MARGIN = 0.03
"""Share of the budget that is left free: for what the allocator cannot use between its blocks, and the forecast's own
error."""

ENOUGH = 1.05
"""Of the ways that fit, those that take at most this multiple of the fastest one's time count as equally fast, and the
one of least memory is taken: the speed model is about 15 % off on the very card that its constants are of
(benchmarks/forecast.py), so a smaller gain is none that anybody could count on, and memory left free is."""

LARGEST_MICRO_BATCH = 16
"""Rows. Beyond that a GPU has long been busy, and every row more only takes memory."""

BUDGETS = (1.0, 0.8, 0.7, 0.5)
"""Values of `sft.activation_budget` that are worth a look, since with each torch's partitioner takes another step: all
is kept; not what costs next to nothing to compute again; nor, in vision towers, masks and attention; nor those anywhere
(`inft.forecast.layer_activations`)."""

CLEARLY_LESS = 0.9
"""An alternative for its memory takes at most this share of the plan's."""
CLEARLY_FASTER = 1 / ENOUGH
"""An alternative for its speed takes at most this share of the plan's time; more counts as equally fast."""


@dataclass(frozen=True)
class Alternative:
    """Another way, beside the plan's.

    Attributes:
        difference_gib: memory that it needs beyond the plan's; negative = less.
        slower_percent: time that it takes beyond the plan's, as a share of the plan's; negative = less.
        fits: whether it fits the same budget.
    """

    choice: Choice
    forecast: Forecast
    difference_gib: float
    slower_percent: float
    fits: bool

    def text(self) -> str:
        """One line: what it is, and what it costs or saves."""
        verdict = "" if self.fits else "; does not fit"
        gib, percent = round(self.difference_gib, 1), round(self.slower_percent)
        memory = f"needs {abs(gib):.1f} GiB {_more(gib)}" if gib else "needs as much memory"
        time = f"takes {abs(percent)} % {_more(percent)} time" if percent else "takes as long"
        return f"{describe(self.choice)}: {memory}, {time}{verdict}"


def _more(difference: float) -> str:
    return "more" if difference > 0 else "less"


@dataclass(frozen=True)
class Plan:
    """What a run does, and whether the memory suffices.

    Attributes:
        forecast: of the choice.
        fits: whether that and the margin stay within the budget.
        budget_bytes: memory that the run may take, everything of the driver's for it included.
        margin_bytes: what of it is left free.
        alternatives: two or three at most; the nearest that saves memory, the smallest, the next faster.
        reason: why this choice, in one sentence.
    """

    choice: Choice
    forecast: Forecast
    fits: bool
    budget_bytes: int
    margin_bytes: int
    alternatives: tuple[Alternative, ...]
    reason: str

    @property
    def missing_bytes(self) -> int:
        """Memory that is missing; 0 = none."""
        return max(0, self.forecast.card_bytes + self.margin_bytes - self.budget_bytes)

    @property
    def usable_bytes(self) -> int:
        """What of the budget a run may fill."""
        return self.budget_bytes - self.margin_bytes

    def need_text(self, source: str = "") -> str:
        """What it needs beside what it may use, so that anybody sees why the one fits the other or does not.

        One digit after the point, and two where one would make equal what is not.

        Args:
            source: where the budget is from, "that are free".
        """
        need, usable = self.forecast.card_bytes / GIB, self.usable_bytes / GIB
        digits = 2 if not self.fits and round(need, 1) <= round(usable, 1) else 1
        budget, free = f"{self.budget_bytes / GIB:.1f} GiB {source}".rstrip(), f"{100 * MARGIN:.0f} % stay free"
        return f"needs {need:.{digits}f} GiB; of {budget} {usable:.{digits}f} may be used ({free})"


@dataclass(frozen=True)
class _Candidate:
    choice: Choice
    forecast: Forecast
    seconds: float
    """For one row."""
    fits: bool

    @property
    def needed(self) -> int:
        return self.forecast.card_bytes


def choose(config: Config, architecture: Architecture, lengths: LengthTable, budget_bytes: int) -> Plan:
    """The plan for a budget.

    `sft.fit = "manual"`: what the configuration says, whether it fits or not. `"auto"`: of all ways that keep the
    effective batch exactly and fit, the smallest of those within `ENOUGH` of the fastest; the smallest of all, with
    `fits` false, when none fits.

    Args:
        config: the run's parameters.
        architecture: of the base.
        lengths: of the rows.
        budget_bytes: memory that the run may take, for instance what is free.

    Raises:
        ConfigError: no forecast can be made, for the reason that it gives.
    """
    margin = int(MARGIN * budget_bytes)

    speed = Speed(config, architecture, lengths)

    def judged(choice: Choice) -> _Candidate:
        expected = forecast(config, architecture, lengths, choice)
        seconds = speed.seconds_per_sample(choice)
        return _Candidate(choice, expected, seconds, fits=expected.card_bytes + margin <= budget_bytes)

    candidates = tuple(map(judged, choices(config)))
    fitting = [candidate for candidate in candidates if candidate.fits]
    if config.sft.fit == "manual":
        chosen = judged(choice_of(config))
        reason = "It is what the configuration says."
    elif fitting:
        fastest = min(fitting, key=lambda candidate: (candidate.seconds, candidate.needed))
        chosen = _smallest([candidate for candidate in fitting if candidate.seconds <= ENOUGH * fastest.seconds])
        reason = _why(chosen, fastest, len(fitting), len(candidates))
    else:
        chosen = _smallest(candidates)
        short = (chosen.needed + margin - budget_bytes) / GIB
        reason = f"Even the smallest of the {len(candidates)} ways needs {short:.1f} GiB more."
    return Plan(
        choice=chosen.choice,
        forecast=chosen.forecast,
        fits=chosen.fits,
        budget_bytes=budget_bytes,
        margin_bytes=margin,
        alternatives=tuple(_alternatives(chosen, candidates)),
        reason=reason,
    )


def choices(config: Config) -> Iterator[Choice]:
    """Every way to do the configuration's optimiser step that is worth a look, its effective batch kept.

    Micro-batches divide it and go up to `LARGEST_MICRO_BATCH`, the configured one if that is larger. Recomputation is
    left out where the attention cannot have it, the held base where nothing is quantised or its biases train. Compiled
    layers that are not recomputed may keep a part of what they would.
    """
    batch = config.effective_batch
    largest = max(LARGEST_MICRO_BATCH, config.data.batch_size)
    budgets = sorted({*BUDGETS, config.sft.activation_budget}, reverse=True) if config.sft.torch_compile else [1.0]
    for rows in range(1, min(largest, batch) + 1):
        if batch % rows:
            continue
        for hold in (False, True):
            if hold and not (config.qlora.load_in_4bit and config.lora.bias == "none"):
                continue
            if config.basic.attn_impl != "flex":
                yield Choice(rows, batch // rows, recompute=True, hold_dequantized=hold)
            for budget in budgets:
                yield Choice(rows, batch // rows, recompute=False, hold_dequantized=hold, activation_budget=budget)


def _why(chosen: _Candidate, fastest: _Candidate, fitting: int, all_ways: int) -> str:
    if fitting == 1:
        return f"Of {all_ways} ways it alone fits."
    if chosen is fastest:
        return f"It is the fastest of {fitting} of {all_ways} ways that fit."
    saved = (fastest.needed - chosen.needed) / GIB
    return (
        f"Of {fitting} of {all_ways} ways that fit, it is the smallest within {100 * (ENOUGH - 1):.0f} % of the "
        f"fastest's time, and saves {saved:.1f} GiB."
    )


def _alternatives(chosen: _Candidate, candidates: Sequence[_Candidate]) -> Iterator[Alternative]:
    others = [candidate for candidate in candidates if candidate.choice != chosen.choice]
    compared = partial(_compared, chosen)
    by_speed = sorted(others, key=lambda candidate: (candidate.seconds, candidate.needed))
    smaller = [candidate for candidate in by_speed if candidate.needed <= CLEARLY_LESS * chosen.needed]
    # The fastest of those that save memory; if what was chosen does not fit, of those that do.
    saving = next((candidate for candidate in smaller if candidate.fits or chosen.fits), None)
    if saving is not None:
        yield compared(saving)
    if smaller:
        smallest = _smallest(smaller)
        if smallest is not saving and (saving is None or smallest.needed <= CLEARLY_LESS * saving.needed):
            yield compared(smallest)
    faster = [candidate for candidate in by_speed if candidate.seconds <= CLEARLY_FASTER * chosen.seconds]
    fitting = next((candidate for candidate in faster if candidate.fits and candidate is not saving), None)
    if fitting is not None:
        yield compared(fitting)
    elif any(not candidate.fits for candidate in faster):
        yield compared(_smallest([candidate for candidate in faster if not candidate.fits]))


def _compared(chosen: _Candidate, other: _Candidate) -> Alternative:
    return Alternative(
        choice=other.choice,
        forecast=other.forecast,
        difference_gib=(other.needed - chosen.needed) / GIB,
        slower_percent=100 * (other.seconds / chosen.seconds - 1),
        fits=other.fits,
    )


def _smallest(candidates: Sequence[_Candidate]) -> _Candidate:
    return min(candidates, key=lambda candidate: (candidate.needed, candidate.seconds))
