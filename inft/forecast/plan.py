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
from inft.forecast.speed import seconds_per_sample
from inft.machine.units import GIB

MARGIN = 0.03
"""Share of the budget that is left free: for what the allocator cannot use between its blocks, and the forecast's own
error."""

LARGEST_MICRO_BATCH = 16
"""Rows. Beyond that a GPU has long been busy, and every row more only takes memory."""

CLEARLY_LESS = 0.9
"""An alternative for its memory takes at most this share of the plan's."""
CLEARLY_FASTER = 0.99
"""An alternative for its speed takes at most this share of the plan's time; less is within the model's error."""


@dataclass(frozen=True)
class Alternative:
    """Another way, beside the plan's.

    Attributes:
        difference_gib: memory that it needs beyond the plan's; negative = less.
        slower_percent: time that it takes beyond the plan's; negative = faster.
        fits: whether it fits the same budget.
    """

    choice: Choice
    forecast: Forecast
    difference_gib: float
    slower_percent: float
    fits: bool

    def text(self) -> str:
        """One line: what it is, and what it costs or saves."""
        more = "more" if self.difference_gib >= 0 else "less"
        slower = "slower" if self.slower_percent >= 0 else "faster"
        verdict = "" if self.fits else "; does not fit"
        return (
            f"{describe(self.choice)}: needs {abs(self.difference_gib):.1f} GiB {more}, "
            f"{abs(self.slower_percent):.0f} % {slower}{verdict}"
        )


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
    effective batch exactly, the fastest that fits; the smallest, with `fits` false, when none does.

    Args:
        config: the run's parameters.
        architecture: of the base.
        lengths: of the rows.
        budget_bytes: memory that the run may take, for instance what is free.

    Raises:
        ConfigError: no forecast can be made, for the reason that it gives.
    """
    margin = int(MARGIN * budget_bytes)

    def judged(choice: Choice) -> _Candidate:
        expected = forecast(config, architecture, lengths, choice)
        seconds = seconds_per_sample(config, architecture, lengths, choice)
        return _Candidate(choice, expected, seconds, fits=expected.card_bytes + margin <= budget_bytes)

    candidates = tuple(map(judged, choices(config)))
    fitting = [candidate for candidate in candidates if candidate.fits]
    if config.sft.fit == "manual":
        chosen = judged(choice_of(config))
        reason = "It is what the configuration says."
    elif fitting:
        chosen = min(fitting, key=lambda candidate: (candidate.seconds, candidate.needed))
        fits = f"{len(fitting)} of {len(candidates)} ways that fit"
        reason = f"It is the fastest of {fits}." if len(fitting) > 1 else f"Of {len(candidates)} ways it alone fits."
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
    left out where the attention cannot have it, the held base where nothing is quantised.
    """
    batch = config.effective_batch
    largest = max(LARGEST_MICRO_BATCH, config.data.batch_size)
    for rows in range(1, min(largest, batch) + 1):
        if batch % rows:
            continue
        for recompute in (True, False):
            if recompute and config.basic.attn_impl == "flex":
                continue
            for hold in (False, True):
                if hold and not config.qlora.load_in_4bit:
                    continue
                yield Choice(rows, batch // rows, recompute, hold)


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
