"""What a profile will need of the GPU, and the plan for it, judged by the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.architecture import Architecture
from inft.forecast.lengths import assumed_lengths
from inft.forecast.memory import Forecast, forecast
from inft.forecast.plan import Plan, choose
from inft.forecast.statistics import cached_statistics
from inft.machine.cards import Cards
from inft.machine.units import GIB
from inft.readiness.check import Check, amber, green, red
from inft.runs.quantities import size

NAME = "forecast"


@dataclass(frozen=True)
class Outlook:
    """What a run will need.

    Attributes:
        forecast: of the configuration as it stands.
        plan: what the run will do on the GPU; None where nothing says what is free or allowed.
        rescue: what `sft.fit = "auto"` would do instead, where the configuration's own way does not fit.
    """

    forecast: Forecast
    plan: Plan | None = None
    rescue: Plan | None = None


def outlook(config: Config, root: Path, architecture: Architecture | None, cards: Cards) -> Outlook | None:
    """The outlook of `config` on the GPU that it would use; None where nothing can be computed.

    Lengths of the rows are those that were measured before, else assumed.
    """
    if architecture is None:
        return None
    statistics = cached_statistics(config, root)
    lengths = assumed_lengths(config.family, config.basic.max_length) if statistics is None else statistics.table
    budget = budget_bytes(config, cards)
    try:
        if budget is None:
            return Outlook(forecast(config, architecture, lengths))
        plan = choose(config, architecture, lengths, budget)
        automatic = replace(config, sft=replace(config.sft, fit="auto"))
        rescue = None if plan.fits or config == automatic else choose(automatic, architecture, lengths, budget)
        return Outlook(forecast(config, architecture, lengths), plan, rescue)
    except ConfigError:
        return None  # no layer has the names that get adapters, which the trainer says in full


def budget_bytes(config: Config, cards: Cards) -> int | None:
    """What a run may take of the GPU: what is free, or `sft.memory_limit_gib` where that is less.

    Where there is no GPU, the limit alone stands for the card that the run is meant for.
    """
    limit = None if config.sft.memory_limit_gib is None else int(config.sft.memory_limit_gib * GIB)
    if cards.chosen is None:
        return limit
    free = cards.chosen.free_bytes
    return None if free is None else min(free, limit or free)


def judge(seen: Outlook | None, cards: Cards, config: Config) -> Check:
    """Whether the run fits."""
    if seen is None:
        return amber(NAME, "What the run will need cannot be computed, since its model is not known.", "See the model.")
    plan = seen.plan
    if plan is None:
        need = f"The run needs {size(seen.forecast.card_bytes)} of GPU memory"
        if cards.chosen is None:
            return green(NAME, f"{need}, if it gets a GPU.")
        return amber(NAME, f"{need}, and the GPU does not say what is free.", "See what nvidia-smi says of it.")
    allowed = f"{size(plan.budget_bytes)} {'are free' if config.sft.memory_limit_gib is None else 'are allowed'}"
    need = f"The run needs {size(plan.forecast.card_bytes)} of GPU memory, and {allowed}"
    if plan.fits:
        return green(NAME, f"{need}.")
    smaller = "Free memory or use a larger GPU; or lower basic.max_length or lora.r, or set lora.scope = language."
    if config.sft.fit == "auto":
        return red(NAME, f"No plan fits: the smallest needs {size(plan.forecast.card_bytes)}, and {allowed}.", smaller)
    if seen.rescue is not None and seen.rescue.fits:
        fix = f"Run with --set sft.fit=auto, which needs {size(seen.rescue.forecast.card_bytes)}."
        return amber(NAME, f"{need}.", fix)
    return amber(NAME, f"{need}; --set sft.fit=auto finds no way that fits either.", smaller)
