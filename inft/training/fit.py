"""How a run does its steps on this machine's GPU: the plan, made from the memory that is free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from inft.config import Config
from inft.errors import NotReadyError
from inft.forecast.architecture import Architecture
from inft.forecast.choice import choice_of, describe, with_choice
from inft.forecast.lengths import LengthTable
from inft.forecast.memory import CONTEXT_BYTES
from inft.forecast.plan import Plan, choose
from inft.forecast.weights import optimiser_bytes
from inft.machine.units import GIB
from inft.runs import events
from inft.runs.jsonl import Record
from inft.runs.plans import AlternativeRecord, ForecastRecord, PartRecord, PlanRecord

_MORE_ROOM = 'Free GPU memory, set sft.optim = "adamw_bnb_8bit", or lower lora.r or basic.max_length'


@dataclass(frozen=True)
class Card:
    """Memory of the GPU, in bytes, once this process has its CUDA context there."""

    free: int
    total: int


@dataclass(frozen=True)
class Fit:
    """How the run does its steps.

    Attributes:
        config: with the choice made.
        plan: what that follows from; None without a GPU, where the configuration is taken as it is.
        state_bytes: what the optimiser's state will take on the GPU.
    """

    config: Config
    plan: Plan | None
    state_bytes: int

    @property
    def record(self) -> PlanRecord:
        """What is kept of it."""
        return PlanRecord(choice_of(self.config), None if self.plan is None else _forecast_record(self.plan))


def this_card() -> Card:
    """The GPU that the run uses."""
    free, total = torch.cuda.mem_get_info()
    return Card(free, total)


def as_given(config: Config) -> Fit:
    """What a run does on a machine without a GPU: as configured, and again so when it is resumed."""
    return Fit(with_choice(config, choice_of(config)), None, 0)


def fit(config: Config, architecture: Architecture, lengths: LengthTable, card: Card) -> Fit:
    """What the run does on `card`.

    Args:
        config: `sft.fit` says whether there is anything to choose.
        architecture: of the base.
        lengths: of the rows.
        card: the GPU.

    Raises:
        NotReadyError: there is something to choose, and nothing fits.
        ConfigError: no forecast can be made.
    """
    plan = choose(config, architecture, lengths, budget_bytes(config, card))
    if config.sft.fit == "auto" and not plan.fits:
        raise NotReadyError(
            f"No way to do these steps fits {plan.budget_bytes / GIB:.1f} GiB of GPU memory: {describe(plan.choice)}, "
            f"needs {(plan.budget_bytes + plan.missing_bytes) / GIB:.1f} GiB with its margin.",
            f"{_MORE_ROOM}, or raise sft.memory_limit_gib where it is set.",
        )
    return Fit(with_choice(config, plan.choice), plan, optimiser_bytes(config, architecture).card)


def budget_bytes(config: Config, card: Card) -> int:
    """Memory that the run may take, its CUDA context included: what is free, `sft.memory_limit_gib` at most."""
    free = min(card.free + CONTEXT_BYTES, card.total)
    limit = config.sft.memory_limit_gib
    return free if limit is None else min(free, int(limit * GIB))


def enforce_limit(config: Config, card: Card) -> None:
    """Has PyTorch refuse memory beyond `sft.memory_limit_gib`; the context is outside of what it counts."""
    limit = config.sft.memory_limit_gib
    if limit is not None:
        allowed = max(0.0, limit * GIB - CONTEXT_BYTES)
        torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / card.total))


def notices(plan: Plan) -> Iterator[Record]:
    """Alerts that say what was planned and, as a warning, that what the configuration states will not fit."""
    forecast = plan.forecast
    yield events.alert(
        level="info",
        kind="plan",
        message=(
            f"Plan for {plan.budget_bytes / GIB:.1f} GiB of GPU memory: {describe(plan.choice)}. Forecast: "
            f"{forecast.card_bytes / GIB:.1f} GiB, and {plan.margin_bytes / GIB:.1f} GiB are left free. {plan.reason}"
        ),
        fix="",
    )
    if not plan.fits:
        yield events.alert(
            level="warning",
            kind="memory",
            message=(
                f"The run is forecast to need {forecast.card_bytes / GIB:.1f} GiB of GPU memory, "
                f"{plan.missing_bytes / GIB:.1f} GiB more than it may take with its margin."
            ),
            fix=(
                'Set sft.fit = "auto", which chooses what fits.'
                if any(other.fits for other in plan.alternatives)
                else f"{_MORE_ROOM}."
            ),
        )


def _forecast_record(plan: Plan) -> ForecastRecord:
    forecast = plan.forecast
    return ForecastRecord(
        lengths="measured" if forecast.measured_lengths else "assumed",
        peak_bytes=forecast.peak_bytes,
        card_bytes=forecast.card_bytes,
        budget_bytes=plan.budget_bytes,
        margin_bytes=plan.margin_bytes,
        fits=plan.fits,
        reason=plan.reason,
        parts=tuple(PartRecord(part.name, part.bytes, part.words) for part in forecast.parts),
        alternatives=tuple(
            AlternativeRecord(other.choice, other.difference_gib, other.slower_percent, other.fits)
            for other in plan.alternatives
        ),
    )
