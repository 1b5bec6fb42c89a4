"""Values of a profile that ask for something that has to be installed or plugged in; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Iterator

from inft.config import Config
from inft.machine.cards import Cards
from inft.models.kernels import why_not, why_not_compiled, why_not_padding_free
from inft.models.targets import LAYOUTS
from inft.readiness.check import Check, green, red
from inft.trackers import missing_package

ATTENTION, PADDING, COMPILER, TRACKER = "attention", "padding-free", "compiler", "tracker"


def judge_options(config: Config, cards: Cards) -> Iterator[Check]:
    """A check for each such value that is not the default."""
    if config.basic.attn_impl != "auto":
        yield judge_attention(config, on_gpu=cards.chosen is not None)
    if config.sft.padding_free:
        yield judge_padding_free(config, cards)
    if config.sft.torch_compile:
        yield judge_compiler(on_gpu=cards.chosen is not None)
    if config.sft.report_to != "none":
        yield judge_tracker(config.sft.report_to)


def judge_attention(config: Config, *, on_gpu: bool) -> Check:
    """Whether the attention kernels that are named can be used here."""
    name = config.basic.attn_impl
    # A plan that is yet to be made keeps to what the attention can do.
    recompute = config.sft.gradient_checkpointing and config.sft.fit == "manual"
    reason = why_not(name, config.family, on_gpu=on_gpu, recompute=recompute)
    if reason is None:
        return green(ATTENTION, f"{name}, as named.")
    words = f"basic.attn_impl = {name} cannot be used with {LAYOUTS[config.family].title}: {reason}."
    return red(ATTENTION, words, "Run with --set basic.attn_impl=auto.")


def judge_padding_free(config: Config, cards: Cards) -> Check:
    """Whether rows can lie end to end on the GPU that the run would use."""
    card = cards.chosen
    reason = why_not_padding_free(None if card is None else card.capability, config.compute_dtype)
    if reason is None:
        return green(PADDING, "Rows lie end to end.")
    return red(
        PADDING,
        f"sft.padding_free cannot be used: {reason}.",
        "Run with --set sft.padding_free=false --set sft.torch_compile=false.",
    )


def judge_compiler(*, on_gpu: bool) -> Check:
    """Whether what compiles layers is there."""
    reason = why_not_compiled(on_gpu=on_gpu)
    if reason is None:
        return green(COMPILER, "Layers can be compiled.")
    fix = "Install it, or run with --set sft.torch_compile=false."
    return red(COMPILER, f"sft.torch_compile cannot be used: {reason}.", fix)


def judge_tracker(name: str) -> Check:
    """Whether the package of a tracking service is there; its login shows when the run starts."""
    package = missing_package(name)
    if package is None:
        return green(TRACKER, f"{name} is installed.")
    return red(
        TRACKER,
        f"sft.report_to = {name} needs the package {package}, which is not installed.",
        f"Install it (pip install {package}), or run with --set sft.report_to=none.",
    )
