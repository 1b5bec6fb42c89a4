"""What a profile will need of the GPU, and the plan for it, judged by the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.choice import describe
from inft.forecast.lengths import LengthTable
from inft.forecast.memory import Forecast, forecast
from inft.forecast.plan import Plan, choose
from inft.forecast.remedies import Remedy, advice, remedies
from inft.machine.cards import Cards
from inft.machine.units import GIB
from inft.readiness.check import Check, amber, green, red
from inft.readiness.needs import Needs
from inft.runs.quantities import size

NAME = "forecast"


@dataclass(frozen=True)
class Outlook:
    """What a run will need.

    Attributes:
        forecast: of what the run will do: the plan's, else the configuration's.
        lengths: of the rows that it was made for.
        configured: of the configuration as it stands.
        for_gpu: whether the run takes a GPU; a small model trains on a CPU, too.
        plan: what the run will do on the GPU; None where nothing says what is free or allowed.
        rescue: what `sft.fit = "auto"` would do instead, where the configuration's own way does not fit and that does.
        remedies: changes that would make it fit, where it does not.
    """

    forecast: Forecast
    lengths: LengthTable
    configured: Forecast
    for_gpu: bool = True
    plan: Plan | None = None
    rescue: Plan | None = None
    remedies: tuple[Remedy, ...] = ()


def outlook(
    config: Config, architecture: Architecture | None, lengths: LengthTable, cards: Cards, needs: Needs | None
) -> Outlook | None:
    """The outlook of `config` on the GPU that it would use; None where its model is not known.

    Raises:
        ConfigError: no layer has the names that get adapters.
    """
    if architecture is None or needs is None:
        return None
    budget = budget_bytes(config, cards, needs)
    configured = forecast(config, architecture, lengths)
    if budget is None:
        return Outlook(configured, lengths, configured, needs.gpu)
    plan = choose(config, architecture, lengths, budget)
    if plan.fits:
        return Outlook(plan.forecast, lengths, configured, needs.gpu, plan)
    automatic = replace(config, sft=replace(config.sft, fit="auto"))
    other = None if config == automatic else choose(automatic, architecture, lengths, budget)
    rescue = other if other is not None and other.fits else None
    found = remedies(config, architecture, lengths, budget)
    return Outlook(plan.forecast, lengths, configured, needs.gpu, plan, rescue, found)


def budget_bytes(config: Config, cards: Cards, needs: Needs) -> int | None:
    """What a run may take of the GPU: what is free, or `sft.memory_limit_gib` where that is less.

    Where there is no GPU, the limit alone stands for the card that the run is meant for; a small model trains on the
    CPU then, where nothing is limited.
    """
    limit = None if config.sft.memory_limit_gib is None else int(config.sft.memory_limit_gib * GIB)
    if cards.chosen is None:
        return limit if needs.gpu else None
    free = cards.chosen.free_bytes
    return free if free is None or limit is None else min(free, limit)


def budget_source(config: Config, plan: Plan) -> str:
    """Whether the plan's budget is what is free, or less."""
    limit = config.sft.memory_limit_gib
    limited = limit is not None and plan.budget_bytes == int(limit * GIB)
    return "that sft.memory_limit_gib allows" if limited else "that are free"


def judge(seen: Outlook | None, cards: Cards, config: Config, needs: Needs) -> Check:
    """Whether the run fits."""
    if seen is None:
        return amber(NAME, "What the run will need cannot be computed, since its model is not known.", "See the model.")
    plan = seen.plan
    if plan is None:
        return _without_a_plan(seen, cards, config, needs)
    need = plan.need_text(budget_source(config, plan))
    if plan.fits:
        return green(NAME, f"The run {need}.")
    if config.sft.fit == "auto":
        return red(NAME, f"No way to do the steps fits: the smallest {need}.", advice(seen.remedies))
    return amber(NAME, f"As configured the run {need}.", advice(seen.remedies))


def summary(seen: Outlook, config: Config) -> str:
    """The outlook in one line."""
    lengths = "" if seen.forecast.measured_lengths else ", lengths of the rows assumed"
    plan = seen.plan
    if plan is None:
        return f"as configured {size(seen.configured.card_bytes)} of GPU memory{lengths}"
    need = plan.need_text(budget_source(config, plan))
    if plan.fits:
        return f"{describe(plan.choice)}; {need}{lengths}"
    return f"does not fit: {describe(plan.choice)} {need}{lengths}"


def _without_a_plan(seen: Outlook, cards: Cards, config: Config, needs: Needs) -> Check:
    need = size(seen.configured.card_bytes)
    if cards.chosen is not None:
        words = f"The run needs {need} of GPU memory, and the GPU does not say what is free."
        return amber(NAME, words, "See what nvidia-smi says of it.")
    if not needs.gpu:
        return green(NAME, f"It trains on the CPU; on a GPU it would need {need}.")
    if config.sft.fit == "auto":
        words = (
            f"As configured the run needs {need} of GPU memory; how it does its steps is chosen for the GPU it gets."
        )
        return green(NAME, words)
    return green(NAME, f"The run needs {need} of GPU memory.")
