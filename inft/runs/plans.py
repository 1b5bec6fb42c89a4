"""`plan.json`: how a run does its steps, and the memory that this was forecast to take."""

from __future__ import annotations

from typing import Literal

import msgspec

from inft.errors import ConfigError
from inft.forecast.choice import Choice
from inft.runs.directory import RunDirectory
from inft.runs.files import replace_file
from inft.runs.records import unreadable
from inft.runs.visible import visible

STATE_IT = (
    "State data.batch_size, sft.gradient_accumulation_steps, sft.gradient_checkpointing, sft.activation_budget and "
    "sft.fit=manual with --set, and add --force."
)
"""What to do where it is lost what a run had chosen."""

LengthsSource = Literal["measured", "assumed"]


class PartRecord(msgspec.Struct, frozen=True):
    """One part of a forecast; `words` says what it is."""

    name: str
    bytes: int
    words: str


class AlternativeRecord(msgspec.Struct, frozen=True):
    """Another way that was looked at, see `inft.forecast.plan.Alternative`."""

    choice: Choice
    difference_gib: float
    slower_percent: float
    fits: bool


class ForecastRecord(msgspec.Struct, frozen=True):
    """What the plan was made from.

    Attributes:
        lengths: where the rows' lengths came from.
        peak_bytes: most that the run's tensors take at once.
        card_bytes: the same with what allocator and driver take.
        budget_bytes: what the run might take.
        margin_bytes: what of that was to be left free.
        fits: whether it did.
        reason: why this choice.
    """

    lengths: LengthsSource
    peak_bytes: int
    card_bytes: int
    budget_bytes: int
    margin_bytes: int
    fits: bool
    reason: str
    parts: tuple[PartRecord, ...]
    alternatives: tuple[AlternativeRecord, ...]


class PlanRecord(msgspec.Struct, frozen=True):
    """The content of the file.

    Attributes:
        choice: what the run does.
        forecast: None on a machine without a GPU, where the configuration is taken as it is.
    """

    choice: Choice
    forecast: ForecastRecord | None = None


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(PlanRecord)


def write_plan(run: RunDirectory, record: PlanRecord) -> None:
    """Writes it, durably: a run that goes on after a power cut needs it.

    Raises:
        DiskError: it cannot be written.
    """
    replace_file(run.plan, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n", durable=True)


def read_plan(run: RunDirectory) -> PlanRecord | None:
    """What the run's trainer wrote; None before it has, and of runs before there were plans.

    Raises:
        ConfigError: it is damaged.
        DiskError: it is there and this user may not read it.
    """
    try:
        content = run.plan.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(error, run.plan) from error
    try:
        record = _DECODER.decode(content)
    except ValueError as error:
        raise ConfigError(
            f"{visible(str(run.plan))} is damaged: {visible(str(error))}.",
            STATE_IT,
        ) from error
    choice = record.choice
    if min(choice.micro_batch, choice.accumulation) < 1:
        raise ConfigError(
            f"{visible(str(run.plan))} is damaged: its micro-batches are of {choice.micro_batch} rows.",
            STATE_IT,
        )
    if not 0 < choice.activation_budget <= 1:
        raise ConfigError(
            f"{visible(str(run.plan))} is damaged: its activation budget is {choice.activation_budget:g}.",
            STATE_IT,
        )
    return record


def overrides_of(choice: Choice) -> tuple[str, ...]:
    """The choice as values of a configuration, each "table.key=value"."""
    return (
        f"data.batch_size={choice.micro_batch}",
        f"sft.gradient_accumulation_steps={choice.accumulation}",
        f"sft.gradient_checkpointing={str(choice.recompute).lower()}",
        f"sft.activation_budget={choice.activation_budget}",
        f"qlora.hold_dequantized={str(choice.hold_dequantized).lower()}",
        "sft.fit=manual",
    )
