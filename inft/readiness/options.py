"""Values of a profile that ask for something that has to be installed or plugged in; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Iterator

from inft.config import Config
from inft.machine.cards import Cards
from inft.models.kernels import why_not
from inft.models.targets import LAYOUTS
from inft.readiness.check import Check, green, red
from inft.trackers import missing_package

ATTENTION, TRACKER = "attention", "tracker"


def judge_options(config: Config, cards: Cards) -> Iterator[Check]:
    """A check for each such value that is not the default."""
    if config.basic.attn_impl != "auto":
        yield judge_attention(config, on_gpu=cards.chosen is not None)
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
