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
from inft.forecast.remedies import Remedy, advice, remedies
from inft.forecast.weights import optimiser_bytes
from inft.machine.units import GIB
from inft.runs import events
from inft.runs.jsonl import Record
from inft.runs.plans import AlternativeRecord, ForecastRecord, PartRecord, PlanRecord


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
        remedies: what would make it fit, where it does not.
    """

    config: Config
    plan: Plan | None
    state_bytes: int
    remedies: tuple[Remedy, ...] = ()

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
    budget = budget_bytes(config, card)
    plan = choose(config, architecture, lengths, budget)
    found = () if plan.fits else remedies(config, architecture, lengths, budget)
    if config.sft.fit == "auto" and not plan.fits:
        raise NotReadyError(
            f"No way to do these steps fits the GPU memory: the smallest, {describe(plan.choice)}, {plan.need_text()}.",
            advice(found),
        )
    return Fit(with_choice(config, plan.choice), plan, optimiser_bytes(config, architecture).card, found)


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


def notices(fitted: Fit) -> Iterator[Record]:
    """Alerts that say what was planned and, as a warning, that what the configuration states will not fit."""
    plan = fitted.plan
    if plan is None:
        return
    way = f"{describe(plan.choice)}; {plan.need_text()}."
    yield events.alert(
        level="info",
        kind="plan",
        message=f"Plan: {way} {plan.reason}" if plan.fits else f"As configured: {way}",
        fix="",
    )
    if not plan.fits:
        yield events.alert(
            level="warning",
            kind="memory",
            message=(
                f"The run is forecast to need {plan.forecast.card_bytes / GIB:.1f} GiB of GPU memory, "
                f"{plan.missing_bytes / GIB:.2f} GiB more than it may use."
            ),
            fix=advice(fitted.remedies),
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
