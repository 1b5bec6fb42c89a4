"""What decides a run's memory and speed without deciding its result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inft.config import Config


@dataclass(frozen=True)
class Choice:
    """One way to do an optimiser step.

    Attributes:
        micro_batch: rows per forward pass.
        accumulation: micro-batches per optimiser step.
        recompute: whether activations are recomputed in the backward pass (`sft.gradient_checkpointing`).
        hold_dequantized: whether the base is held in 16 bit while training (`qlora.hold_dequantized`).
        activation_budget: share of what compiled layers would keep (`sft.activation_budget`), above 0 and at most 1.
    """

    micro_batch: int
    accumulation: int
    recompute: bool
    hold_dequantized: bool
    activation_budget: float = 1.0


def choice_of(config: Config) -> Choice:
    """What the configuration says by itself."""
    return Choice(
        micro_batch=config.data.batch_size,
        accumulation=config.sft.gradient_accumulation_steps,
        recompute=config.sft.gradient_checkpointing,
        hold_dequantized=config.qlora.hold_dequantized,
        # A layer that is recomputed as a whole has nothing left to keep a part of.
        activation_budget=1.0 if config.sft.gradient_checkpointing else config.sft.activation_budget,
    )


def with_choice(config: Config, choice: Choice) -> Config:
    """`config` such that a run does its steps that way and looks for no other."""
    return replace(
        config,
        data=replace(config.data, batch_size=choice.micro_batch),
        qlora=replace(config.qlora, hold_dequantized=choice.hold_dequantized),
        sft=replace(
            config.sft,
            fit="manual",
            gradient_accumulation_steps=choice.accumulation,
            gradient_checkpointing=choice.recompute,
            activation_budget=choice.activation_budget,
        ),
    )


def describe(choice: Choice) -> str:
    """A choice in a person's words.

    >>> describe(Choice(4, 8, recompute=True, hold_dequantized=False))
    'micro-batch 4 x 8, activations recomputed'
    >>> describe(Choice(1, 16, recompute=False, hold_dequantized=True))
    'micro-batch 1 x 16, activations kept, base held in 16 bit'
    >>> describe(Choice(4, 4, recompute=False, hold_dequantized=False, activation_budget=0.7))
    'micro-batch 4 x 4, 70 % of the activations kept'
    """
    share = "" if choice.activation_budget == 1 else f"{100 * choice.activation_budget:g} % of the "
    parts = [
        f"micro-batch {choice.micro_batch} x {choice.accumulation}",
        "activations recomputed" if choice.recompute else f"{share}activations kept",
        *(["base held in 16 bit"] if choice.hold_dequantized else []),
    ]
    return ", ".join(parts)
