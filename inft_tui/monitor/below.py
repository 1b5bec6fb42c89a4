"""The lines below the charts: the newest of the log, captions beside their references, or what the run warned of."""

from __future__ import annotations

from typing import Literal, TypeAlias

from inft_tui.display.spans import EMPTY, Line, Span, fit
from inft_tui.feeds.facts import RunFacts, Sample

Panel: TypeAlias = Literal["log", "captions", "alerts"]
PANELS: tuple[Panel, ...] = ("log", "captions", "alerts")

SIDE_BY_SIDE_FROM = 130
"""Columns from which on the log and the captions stand beside each other."""
_NOTHING: dict[Panel, str] = {
    "log": "Nothing has been said yet.",
    "captions": "No captions yet; a run writes some at each evaluation and at its end.",
    "alerts": "Nothing to warn of.",
}
_LEVELS = {"error": ("✗", "bad"), "warning": ("▲", "warn")}
_TIME = slice(11, 19)
"""Of an ISO 8601 moment."""


def below(facts: RunFacts, panel: Panel, columns: int, rows: int, back: int = 0) -> list[Line]:
    """`rows` lines: a rule with the panels' names, and the newest lines of the chosen one.

    Args:
        facts: of the run.
        panel: what is shown; where there is room and there are captions, log and captions stand side by side.
        columns: of the screen.
        rows: that there are.
        back: how many lines before the newest ones to show.
    """
    if rows <= 0:
        return []
    if not (columns >= SIDE_BY_SIDE_FROM and panel == "log" and facts.samples):
        return [_rule(facts, panel, columns), *_newest(panel_lines(facts, panel), rows - 1, back)]
    left = columns // 2
    logs = _newest(panel_lines(facts, "log"), rows - 1, back)
    captions = _newest(panel_lines(facts, "captions"), rows - 1, 0)
    beside = [(*fit(one, left - 1, "text"), (" ", "text"), *other) for one, other in zip(logs, captions, strict=True)]
    head = _rule(facts, "log", left - 1), _rule(facts, "captions", columns - left)
    return [(*fit(head[0], left - 1, "faint"), (" ", "text"), *head[1]), *beside]


def panel_lines(facts: RunFacts, panel: Panel) -> list[Line]:
    """All lines of a panel, the newest last."""
    lines: list[Line] = []
    match panel:
        case "log":
            lines = [((f" {line}", "text"),) for line in facts.lines]
        case "captions":
            for sample in facts.samples:
                lines += _caption(sample)
        case "alerts":
            for alert in facts.alerts:
                mark, role = _LEVELS.get(alert.level, ("·", "dim"))
                said: Span = (f"{mark} {alert.message}", role)
                lines.append(((f" {alert.ts[_TIME]} ", "dim"), said, (f"  {alert.fix}", "text")))
    return lines or [((f" {_NOTHING[panel]}", "dim"),)]


def _caption(sample: Sample) -> list[Line]:
    """What the model said, and under it what the corpus says."""
    where = sample.language if sample.step is None else f"{sample.language}, step {sample.step:,.0f}"
    label = f" {where}  "
    blank = " " * max(0, len(label) - len("corpus  "))
    return [
        ((label, "dim"), (sample.caption, "text")),
        ((f"{blank}corpus  ", "faint"), (sample.reference, "dim")),
    ]


def _rule(facts: RunFacts, panel: Panel, columns: int) -> Line:
    counts = {"log": "", "captions": _count(len(facts.samples)), "alerts": _count(len(facts.alerts))}
    name = f" {panel}{counts[panel]} "
    return (("──", "faint"), (name, "title"), ("─" * max(0, columns - 2 - len(name)), "faint"))


def _count(number: int) -> str:
    return f" ({number})" if number else ""


def _newest(lines: list[Line], rows: int, back: int) -> list[Line]:
    end = max(min(rows, len(lines)), len(lines) - back)
    shown = lines[max(0, end - rows) : end]
    return [*shown, *[EMPTY] * (rows - len(shown))]
