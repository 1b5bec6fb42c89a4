"""What makes a run fit that does not: changes of its configuration, each tried on the forecast before it is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.architecture import Architecture
from inft.forecast.lengths import LengthTable
from inft.forecast.memory import Forecast, forecast
from inft.forecast.plan import BUDGETS, MARGIN, choices
from inft.machine.units import GIB
from inft.params import PADDING_FREE_ATTENTION

MOST_TOGETHER = 3
"""Changes that are tried together; with more than that it is another recipe."""


@dataclass(frozen=True)
class Change:
    """One value of the configuration.

    Attributes:
        key: dotted.
        value: as `--set` takes it.
    """

    key: str
    value: str | float | bool

    @property
    def text(self) -> str:
        """As it is typed."""
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.key}={value}"


@dataclass(frozen=True)
class Remedy:
    """Changes with which the run fits.

    Attributes:
        changes: one, or as few as suffice together.
        card_bytes: what it needs on the card then, at the least.
    """

    changes: tuple[Change, ...]
    card_bytes: int

    @property
    def options(self) -> str:
        """As they are typed."""
        return " ".join(f"--set {change.text}" for change in self.changes)


def remedies(config: Config, architecture: Architecture, lengths: LengthTable, budget_bytes: int) -> tuple[Remedy, ...]:
    """Changes that make `config` fit; those that leave the result alone first, nothing if none of them helps.

    Each alone; if none suffices, the first two that do together, then three. Rows are never given up for it: a lower
    `basic.max_length` is none of them.

    Args:
        config: does not fit.
        architecture: of its model.
        lengths: of its rows.
        budget_bytes: memory that it may take.
    """
    allowed = budget_bytes - int(MARGIN * budget_bytes)
    candidates = _candidates(config, _smallest(config, architecture, lengths))
    for count in range(1, MOST_TOGETHER + 1):
        found: list[Remedy] = []
        for keys in combinations(candidates, count):
            for values in product(*(candidates[key] for key in keys)):
                changes = tuple(map(Change, keys, values))
                need = _need(config, changes, architecture, lengths)
                if need is not None and need <= allowed:
                    found.append(Remedy(changes, need))
                    break  # the values of a key go from the mildest on
            if found and count > 1:
                break
        if found:
            return tuple(found)
    return ()


def advice(found: Sequence[Remedy]) -> str:
    """What to do about a run that does not fit, in one sentence.

    >>> optimiser = Remedy((Change("sft.optim", "paged_adamw_8bit"),), 11 * GIB)
    >>> advice([optimiser])
    'Run with --set sft.optim=paged_adamw_8bit: 11.0 GiB, fits.'
    """
    told = [f"{remedy.options}: {remedy.card_bytes / GIB:.1f} GiB, fits" for remedy in found]
    if not told:
        return (
            "Free GPU memory or use a larger GPU: no other optimiser, adapters or batch of the evaluation makes it fit."
        )
    return f"Run with {'; or '.join(told)}."


def _candidates(config: Config, now: Forecast | None) -> dict[str, tuple[str | float | bool, ...]]:
    """Values to try by key, from the mildest on; keys that leave the result alone first."""
    found: dict[str, tuple[str | float | bool, ...]] = {}
    if now is not None and now.peak_bytes > now.training_bytes:
        found["sft.inference_batch_size"] = tuple(_halves(config.sft.inference_batch_size))
    if config.sft.fit == "manual":
        found["sft.fit"] = ("auto",)
    if not config.sft.padding_free and config.basic.attn_impl in PADDING_FREE_ATTENTION:
        found["sft.padding_free"] = (True,)
    if config.sft.padding_free and not config.sft.torch_compile:
        found["sft.torch_compile"] = (True,)
    if config.sft.torch_compile and config.sft.fit == "manual" and not config.sft.gradient_checkpointing:
        found["sft.activation_budget"] = tuple(share for share in BUDGETS if share < config.sft.activation_budget)
    if config.basic.attn_impl == "eager":
        found["basic.attn_impl"] = ("sdpa",)
    if not config.qlora.load_in_4bit:
        found["qlora.load_in_4bit"] = (True,)
    if config.sft.optim != "paged_adamw_8bit":
        found["sft.optim"] = ("paged_adamw_8bit",)
    if config.lora.adapter_dtype != "bfloat16" and config.compute_dtype != "float16":  # whose loss scaling needs fp32
        found["lora.adapter_dtype"] = ("bfloat16",)
    found["lora.r"] = tuple(rank for rank in (32, 16) if rank < config.lora.r)
    if config.lora.scope != "language":
        found["lora.scope"] = ("language",)
    return {key: values for key, values in found.items() if values}


def _halves(rows: int) -> Iterator[int]:
    while rows > 1:
        rows //= 2
        yield rows


def _need(config: Config, changes: Sequence[Change], architecture: Architecture, lengths: LengthTable) -> int | None:
    """Bytes that it then needs at the least; None where no layer would get an adapter any more."""
    tables: dict[str, dict[str, object]] = {}
    for change in changes:
        table, _, name = change.key.partition(".")
        tables.setdefault(table, {})[name] = change.value
    found = _smallest(_with(config, tables), architecture, lengths)
    return None if found is None else found.card_bytes


def _with(config: Config, tables: Mapping[str, Mapping[str, object]]) -> Config:
    return replace(config, **{table: replace(vars(config)[table], **values) for table, values in tables.items()})


def _smallest(config: Config, architecture: Architecture, lengths: LengthTable) -> Forecast | None:
    """The forecast of the way that takes least: as configured, or of all that a plan may choose from."""
    try:
        if config.sft.fit == "manual":
            return forecast(config, architecture, lengths)
        # More rows at a time always take more.
        ways = [choice for choice in choices(config) if choice.micro_batch == 1 and not choice.hold_dequantized]
        return min((forecast(config, architecture, lengths, way) for way in ways), key=lambda one: one.card_bytes)
    except ConfigError:
        return None
