"""The curves that events add up to. Records come in batches, since a value at a time would take a second per million.

Every numeric key of a `log` or `eval` event is a curve over `global_step`, known or not. What a record says was not
finite is a point without a value, a null that it does not say that of is no point. Text and yes-or-no are left out.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter, lt
from typing import Literal, TypeAlias

from inft.runs.jsonl import NONFINITE, Record
from inft.runs.narrate import number, text
from inft.runs.quantities import figure
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.charts.series import Series

STEP = "global_step"
AXES = ("epoch", "elapsed_sec")
"""Keys that are other ways to say where a point lies; no curves of their own."""

EVAL_PREFIX = "eval_"

MarkKind: TypeAlias = Literal["evaluation", "checkpoint", "alert", "seam", "resume"]

MOST_SERIES = 1000
"""A norm for every layer of a large model fits; a file that makes up a key a line would take all memory."""

_NUMBERS = frozenset({int, float})


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a place of the curves.

    Attributes:
        kind: seam = what was behind it was done again from here; resume = the run began here, not at step 0.
        x: in steps.
        text: safe to show.
    """

    kind: MarkKind
    x: float
    text: str


class Curves:
    """Curves and marks of one run, or of several that continue one another, fed with `take`.

    Attributes:
        series: by name, in the order of their first coming; x = optimiser steps. Names are safe to show. Of an
            evaluation, every one begins with `eval_`.
        axes: the same for the keys of `AXES`, which say where the steps lie in epochs and in seconds of training. The
            seconds of a run that continues another go on from there.
        marks: in the order of their coming.
        step: of the newest point; None = there is none.
    """

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.axes: dict[str, Series] = {}
        self.marks: list[Mark] = []
        self.step: float | None = None
        self._elapsed_before = 0.0

    def take(self, records: Iterable[Record]) -> set[str]:
        """Adds what `records`, lines of `metrics.jsonl`, tell; the names of the series that have changed."""
        changed: set[str] = set()
        for keys, same in groupby(records, tuple):  # records of one kind have the same keys in the same order
            group = list(same)
            if "event" not in keys:
                continue
            for event, part in groupby(group, itemgetter("event")):
                if event in ("log", "eval"):
                    self._figures(keys, list(part), changed, evaluated=event == "eval")
                else:
                    for record in part:
                        self._happened(record, changed)
        return changed

    def _figures(self, keys: tuple[str, ...], group: Sequence[Record], changed: set[str], *, evaluated: bool) -> None:
        placed, steps = _placed(group)
        start = 0
        for stop in [*_descents(steps), len(steps)]:
            part, xs = placed[start:stop], steps[start:stop]
            start = stop
            if not part:
                continue
            if self.step is not None and xs[0] < self.step:
                self._go_back(xs[0], f"goes on from step {xs[0]:,.0f} again", changed, first_again=xs[0])
            self.step = xs[-1]
            self._columns(keys, part, xs, changed, evaluated=evaluated)

    def _columns(
        self, keys: tuple[str, ...], group: Sequence[Record], xs: array[float], changed: set[str], *, evaluated: bool
    ) -> None:
        for key, column in zip(keys, zip(*map(dict.values, group), strict=True), strict=True):
            if key in (STEP, "ts", "event"):
                continue
            places, values = _points(key, column, group, xs)
            if not values:
                continue
            if key in AXES:
                if key == "elapsed_sec" and self._elapsed_before:
                    values = array("d", [value + self._elapsed_before for value in values])
                _series(self.axes, key).extend(places, values, ascending=True)
                continue
            name = EVAL_PREFIX + key if evaluated and not key.startswith(EVAL_PREFIX) else key
            name = visible(name)
            if name in self.series or len(self.series) < MOST_SERIES:
                _series(self.series, name).extend(places, values, ascending=True)
                changed.add(name)
        if evaluated:
            for record, x in zip(group, xs, strict=True):
                loss = number(record, "eval_loss")
                self._mark("evaluation", x, "evaluation" if loss is None else f"eval loss {figure(loss)}")

    def _happened(self, record: Record, changed: set[str]) -> None:
        match record["event"]:
            case "train_begin":
                self._begin(record, changed)
            case "checkpoint":
                step = number(record, STEP)
                self._mark("checkpoint", self._now() if step is None else step, f"checkpoint in {text(record, 'path')}")
            case "alert" if record.get("level") in ("warning", "error"):
                self._mark("alert", self._now(), f"{text(record, 'level')}: {text(record, 'message')}")
            case _:
                pass

    def _begin(self, record: Record, changed: set[str]) -> None:
        step = number(record, STEP) or 0.0
        origin = text(record, "resumed_from")
        words = f"resumed from step {step:,.0f}{f' of {origin}' if origin else ''}"
        if self.step is not None:
            # The checkpoint holds its own step, so that one is not done again.
            self._go_back(step, words, changed, first_again=math.nextafter(step, math.inf))
            elapsed = self.axes.get("elapsed_sec")
            self._elapsed_before = elapsed.y[-1] if elapsed is not None and elapsed.y else 0.0
        elif step:
            self._mark("resume", step, words)

    def _go_back(self, step: float, words: str, changed: set[str], *, first_again: float) -> None:
        """Forgets the points from `first_again` on, which are done again; a seam at `step` remains."""
        for series in (*self.series.values(), *self.axes.values()):
            series.truncate_from(first_again)
        changed.update(self.series)
        self.marks[:] = [mark for mark in self.marks if mark.x < first_again or mark.kind in ("seam", "resume")]
        self.step = step
        self._mark("seam", step, words)

    def _mark(self, kind: MarkKind, x: float, words: str) -> None:
        self.marks.append(Mark(kind, x, visible(redact(words))))

    def _now(self) -> float:
        return self.step or 0.0


def _series(among: dict[str, Series], name: str) -> Series:
    series = among.get(name)
    if series is None:
        series = among[name] = Series(name)
    return series


def _placed(group: Sequence[Record]) -> tuple[Sequence[Record], array[float]]:
    """Those of `group` that say at which step they are, and these steps."""
    steps = [record.get(STEP) for record in group]
    if set(map(type, steps)) <= _NUMBERS:
        try:
            found: array[float] = array("d", steps)  # type: ignore[arg-type]
        except OverflowError:
            pass
        else:
            if math.isfinite(sum(found)):
                return group, found
    placed = [record for record in group if _is_position(record.get(STEP))]
    return placed, array("d", [number(record, STEP) or 0.0 for record in placed])


def _is_position(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _descents(steps: array[float]) -> list[int]:
    """The places where a step is less than the one before it."""
    following = steps[1:]
    if not any(map(lt, following, steps)):
        return []
    return [place + 1 for place, (later, earlier) in enumerate(zip(following, steps, strict=False)) if later < earlier]


def _points(
    key: str, column: tuple[object, ...], group: Sequence[Record], xs: array[float]
) -> tuple[array[float], array[float]]:
    """Where the numbers of a column lie, and what they are."""
    types = set(map(type, column))
    if types <= _NUMBERS:
        try:
            return xs, array("d", column)  # type: ignore[arg-type]
        except OverflowError:
            pass  # a whole number beyond what floating point knows
    elif not types & _NUMBERS and NONFINITE not in group[0]:
        return array("d"), array("d")
    places, values = array("d"), array("d")
    for x, value, record in zip(xs, column, group, strict=True):
        point = _value(key, value, record)
        if point is not None:
            places.append(x)
            values.append(point)
    return places, values


def _value(key: str, value: object, record: Record) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    missing = record.get(NONFINITE)
    return math.nan if value is None and isinstance(missing, list) and key in missing else None
