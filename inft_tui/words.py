"""A run's condition in words: one line of it, and the parts that listings and `status` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from inft.runs.clock import utc_now
from inft.runs.condition import Condition
from inft.runs.jsonl import NONFINITE, Record
from inft.runs.narrate import narrate, number
from inft.runs.quantities import duration, figure

PACE_LINES = 10
"""Newest log lines that the pace is measured over: enough to even out one slow step, few enough to follow a change."""


@dataclass(frozen=True)
class Latest:
    """What the newest events of a run tell.

    Attributes:
        loss: of the newest log line, as text; empty if there is none.
        samples_per_sec: the same.
        sec_per_step: lately; None if it cannot be told.
        stage: the newest stage in words; empty if there is none.
    """

    loss: str = ""
    samples_per_sec: float | None = None
    sec_per_step: float | None = None
    stage: str = ""


def latest(events: Sequence[Record]) -> Latest:
    """What `events`, the last ones of a run, tell."""
    logs = [event for event in events if event.get("event") == "log"][-PACE_LINES:]
    stages = [event for event in events if event.get("event") == "stage"]
    return Latest(
        loss=loss_text(logs[-1]) if logs else "",
        samples_per_sec=number(logs[-1], "samples_per_sec") if logs else None,
        sec_per_step=_pace(logs),
        stage=narrate(stages[-1]) if stages else "",
    )


def loss_text(log: Record) -> str:
    """The loss of a log line; empty where it has none."""
    loss = number(log, "loss")
    if loss is not None:
        return figure(loss)
    missing = log.get(NONFINITE)
    return "not finite" if isinstance(missing, list) and "loss" in missing else ""


def state_line(condition: Condition, news: Latest) -> str:
    """For instance `training, step 40 of 120, 0.93 samples/s, loss 3.1, about 12 min left`."""
    if not condition.alive:
        return end_line(condition, news)
    parts: list[str] = [condition.state]
    if condition.state in ("queued", "starting", "loading"):
        if condition.state == "loading" and news.stage:
            parts = [f"loading ({news.stage})"]
    else:
        if condition.step or condition.max_steps is not None:
            parts.append(step_words(condition))
        if news.samples_per_sec is not None:
            parts.append(f"{figure(news.samples_per_sec)} samples/s")
        if news.loss:
            parts.append(f"loss {news.loss}")
        left = seconds_left(condition, news)
        if left is not None and condition.stalled_sec is None:
            parts.append(f"about {coarse(left)} left")
    if condition.stalled_sec is not None:
        parts.append(f"no sign of progress for {duration(condition.stalled_sec)}")
    return ", ".join(parts)


def end_line(condition: Condition, news: Latest) -> str:
    """How a run ended, for instance `stopped after step 40 of 120, loss 3.1`."""
    words: str = condition.state
    if condition.step or condition.max_steps:
        words += f" after {step_words(condition)}"
    return f"{words}, loss {news.loss}" if news.loss else words


def step_words(condition: Condition) -> str:
    """For instance `step 40 of 120`."""
    total = f" of {condition.max_steps:,}" if condition.max_steps is not None else ""
    return f"step {condition.step:,}{total}"


def seconds_left(condition: Condition, news: Latest) -> float | None:
    """How long training still takes at its latest pace; None where that cannot be told."""
    if condition.state != "training" or condition.max_steps is None or news.sec_per_step is None:
        return None
    return max(0, condition.max_steps - condition.step) * news.sec_per_step


def coarse(seconds: float) -> str:
    """A length of time in its largest unit, for what is not known better or need not be.

    >>> coarse(0.2), coarse(59), coarse(75), coarse(3 * 3600 + 125), coarse(90061)
    ('0 s', '59 s', '1 min', '3 h', '1 d')
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds) // 1:.0f} s"


def seconds_since(moment: str) -> float | None:
    """Seconds since an ISO 8601 moment, 0 for one in the future; None if it is no moment."""
    try:
        return max(0.0, (utc_now() - datetime.fromisoformat(moment)).total_seconds())
    except (ValueError, TypeError):
        return None


def _pace(logs: Sequence[Record]) -> float | None:
    """Seconds per step between the first and the last of `logs`, evaluations and checkpoints in between included."""
    if not logs:
        return None
    steps = (number(logs[-1], "global_step") or 0.0) - (number(logs[0], "global_step") or 0.0)
    first, last = number(logs[0], "elapsed_sec"), number(logs[-1], "elapsed_sec")
    if steps > 0 and first is not None and last is not None and last > first:
        return (last - first) / steps
    return number(logs[-1], "step_time_sec")
