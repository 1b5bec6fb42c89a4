"""What a person should know at once, from what was read of a run: pure rules, each said once.

A rule that was said is said again only after its reason was gone: it holds above one bound and is over below another.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from inft.runs.condition import Condition
from inft.runs.jsonl import Record
from inft.runs.narrate import number
from inft.runs.quantities import duration, figure
from inft.runs.visible import visible
from inft_tui.feeds.facts import RunFacts
from inft_tui.words import Latest, end_line

Level: TypeAlias = Literal["info", "warning", "error"]
Kind: TypeAlias = Literal[
    "divergence", "stall", "memory", "hot", "throttled", "disk", "finished", "stopped", "failed", "told"
]
"""Told: the run itself says so."""

WINDOW = 50
"""Losses that a new one is compared with."""
LEAST_LOSSES = 10
JUMP = 8.0
"""Robust standard deviations above the median; losses of single batches reach four or five of them."""
CALM = 3.0
LEAST_JUMP = 0.3
"""Of the median: a curve so flat that its deviation is nothing would take every wave for a jump."""

GPU_FULL, GPU_ROOMY = 0.97, 0.93
"""Share of a GPU's memory in use. PyTorch keeps what it once had, so only the last percents mean anything."""
HOST_SCARCE, HOST_ROOMY = 0.04, 0.08
"""Share of the host's memory that is left."""
HOT_C, COOL_C = 87.0, 82.0
"""Data-centre cards slow down between 85 and 95 degrees."""
SLOW_CLOCK, FAST_CLOCK = 0.70, 0.85
"""Share of the highest clock that was seen under load."""
LOADED_PERCENT = 80.0
SLOW_SAMPLES = 3
"""A clock is slow for a moment between two kernels as well."""
DISK_GIB, DISK_ROOMY_GIB = 5.0, 8.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to know. All text is safe to show.

    Attributes:
        kind: which rule.
        level: info, warning or error.
        message: what and where, in one sentence.
        fix: what to do, in one sentence; may be empty.
        subject: what of the machine it is about; empty = it is about the run.
    """

    kind: Kind
    level: Level
    message: str
    fix: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read since the last look.

    Attributes:
        facts: the run's.
        steps: of the new losses.
        losses: as they came; NaN = not finite.
        hardware: the newest line of `hardware.jsonl`; None = none yet.
        is_history: whether this was so before anybody looked: taken in, and nothing said.
    """

    facts: RunFacts
    steps: Sequence[float] = ()
    losses: Sequence[float] = ()
    hardware: Record | None = None
    is_history: bool = False


class Watch:
    """Says what to tell a person about one run."""

    def __init__(self) -> None:
        self._on: set[str] = set()
        self._losses = array("d")
        self._top_clock: dict[str, float] = {}
        self._slow: dict[str, int] = {}

    def look(self, reading: Reading) -> list[Alert]:
        """The alerts that `reading` gives reason for and that were not said yet."""
        said: list[Alert] = []
        said += self._divergence(reading.steps, reading.losses)
        said += self._state(reading.facts)
        if reading.hardware is not None and (reading.facts.condition is None or reading.facts.condition.alive):
            said += self._hardware(reading.hardware)
        return [] if reading.is_history else said

    def _rises(self, name: str, *, on: bool, off: bool) -> bool:
        """Whether rule `name` has just come to hold; it is over when `off`."""
        if name in self._on:
            if off:
                self._on.discard(name)
            return False
        if on:
            self._on.add(name)
        return on

    def _divergence(self, steps: Sequence[float], losses: Sequence[float]) -> list[Alert]:
        said: list[Alert] = []
        for step, loss in zip(steps, losses, strict=True):
            finite = math.isfinite(loss)
            if self._rises("nonfinite", on=not finite, off=finite):
                said.append(
                    Alert(
                        "divergence",
                        "error",
                        f"The loss is not a finite number at step {step:,.0f}.",
                        "Lower sft.lr, or look for damaged rows just before that step.",
                    )
                )
            if not finite:
                continue
            score, usual = jump(self._losses, loss)
            if self._rises("jump", on=score > JUMP, off=score < CALM):
                said.append(
                    Alert(
                        "divergence",
                        "warning",
                        f"The loss jumped to {figure(loss)} at step {step:,.0f}; lately it was about {figure(usual)}.",
                        "If it does not come down again, resume from the last checkpoint with a lower sft.lr.",
                    )
                )
            self._losses.append(loss)
            del self._losses[:-WINDOW]
        return said

    def _state(self, facts: RunFacts) -> list[Alert]:
        said: list[Alert] = []
        condition = facts.condition
        stalled = condition.stalled_sec if condition is not None else None
        if self._rises("stall", on=stalled is not None, off=stalled is None):
            said.append(_stalled(stalled or 0.0, facts.step, facts.run_id))
        over = condition is not None and not condition.alive
        if self._rises("end", on=over, off=not over):
            cause = facts.cause
            why, fix = ("", "") if cause is None else (visible(cause.message), visible(cause.fix))
            said += _ended(facts, condition, why, fix)
        return said

    def _hardware(self, sample: Record) -> list[Alert]:
        said: list[Alert] = []
        gpus = sample.get("gpus")
        for place, gpu in enumerate(gpus if isinstance(gpus, list) else []):
            if isinstance(gpu, dict):
                said += self._gpu(place, gpu)
        said += self._host_memory(sample)
        for name in ("logs", "output"):
            left = number(sample, f"{name}_disk_free_gib")
            if left is not None and self._rises(f"disk {name}", on=left < DISK_GIB, off=left > DISK_ROOMY_GIB):
                what = "the logs" if name == "logs" else "the checkpoints"
                said.append(
                    Alert(
                        "disk",
                        "warning",
                        f"The disk of {what} has {figure(left)} GiB left.",
                        "Make room: a full disk ends the run.",
                        subject=what,
                    )
                )
        return said

    def _gpu(self, place: int, gpu: Record) -> list[Alert]:
        said: list[Alert] = []
        index = gpu.get("index")
        label = f"GPU {index if isinstance(index, int) else place}"
        used, total = number(gpu, "memory_used_gib"), number(gpu, "memory_total_gib")
        if used is not None and total:
            share = used / total
            if self._rises(f"memory {label}", on=share >= GPU_FULL, off=share < GPU_ROOMY):
                said.append(
                    Alert(
                        "memory",
                        "warning",
                        f"{label}'s memory is nearly full: {figure(used)} of {figure(total)} GiB.",
                        "A longer batch may not fit; another program on the card may be what takes it.",
                        subject=label,
                    )
                )
        degrees = number(gpu, "temperature_c")
        if degrees is not None and self._rises(f"hot {label}", on=degrees >= HOT_C, off=degrees < COOL_C):
            said.append(
                Alert(
                    "hot",
                    "warning",
                    f"{label} is at {degrees:.0f} °C.",
                    "Look at its cooling; it will slow down.",
                    subject=label,
                )
            )
        said += self._throttled(label, gpu)
        return said

    def _throttled(self, label: str, gpu: Record) -> list[Alert]:
        clock, load = number(gpu, "sm_clock_mhz"), number(gpu, "utilization_percent")
        if clock is None or load is None or load < LOADED_PERCENT:
            return []  # an idle card clocks down by itself
        top = self._top_clock[label] = max(self._top_clock.get(label, 0.0), clock)
        share = clock / top if top else 1.0
        self._slow[label] = self._slow.get(label, 0) + 1 if share < SLOW_CLOCK else 0
        slow = self._slow[label] >= SLOW_SAMPLES
        if not self._rises(f"throttled {label}", on=slow, off=share > FAST_CLOCK):
            return []
        return [
            Alert(
                "throttled",
                "warning",
                f"{label} is slowed down: {clock:.0f} MHz under load, where it had {top:.0f} MHz.",
                "Look at its temperature and its power limit.",
                subject=label,
            )
        ]

    def _host_memory(self, sample: Record) -> list[Alert]:
        left, total = number(sample, "host_memory_available_gib"), number(sample, "host_memory_total_gib")
        if left is None or not total:
            return []
        share = left / total
        if not self._rises("memory host", on=share < HOST_SCARCE, off=share > HOST_ROOMY):
            return []
        return [
            Alert(
                "memory",
                "warning",
                f"The host has {figure(left)} of {figure(total)} GiB of memory left.",
                "The kernel ends a program when there is none; fewer data workers need less.",
                subject="the host",
            )
        ]


def jump(before: Sequence[float], loss: float) -> tuple[float, float]:
    """How many robust standard deviations `loss` lies above the median of `before`, and that median.

    The deviation is 1.4826 times the median absolute one, which for a normal distribution is the standard deviation,
    and which no single spike moves; it counts as at least `LEAST_JUMP` / `JUMP` of the median. With fewer than
    `LEAST_LOSSES` before it nothing is a jump.

    >>> jump([2.0, 2.1, 1.9] * 5, 2.2)[0] < 3, jump([2.0, 2.1, 1.9] * 5, 4.0)[0] > 8, jump([], 1.0)
    (True, True, (0.0, 1.0))
    """
    if len(before) < LEAST_LOSSES:
        return 0.0, loss
    middle = median(before)
    deviation = 1.4826 * median(abs(value - middle) for value in before)
    deviation = max(deviation, abs(middle) * LEAST_JUMP / JUMP)
    return ((loss - middle) / deviation if deviation else 0.0), middle


def _stalled(seconds: float, step: int, run_id: str) -> Alert:
    return Alert(
        "stall",
        "warning",
        f"{run_id} shows no sign of progress for {duration(seconds)}, at step {step:,}.",
        "Look at the end of its console.log; `inft-tui stop` saves what it can.",
    )


def _ended(facts: RunFacts, condition: Condition | None, why: str, fix: str) -> list[Alert]:
    if condition is None or condition.state not in ("finished", "stopped", "failed"):
        return []
    words = f"{facts.run_id} {end_line(condition, Latest(loss=facts.loss))}"
    match condition.state:
        case "finished":
            return [Alert("finished", "info", f"{words}.")]
        case "stopped":
            return [Alert("stopped", "info", f"{words}.")]
        case _:
            return [Alert("failed", "error", f"{words}: {why or 'nobody said why.'}", fix)]
