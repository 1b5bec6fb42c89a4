"""The lines of the Compare screen besides its chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inft.runs.directory import RunDirectory
from inft.runs.quantities import figure
from inft_tui.comparison.group import Compared
from inft_tui.comparison.overlay import LETTERS
from inft_tui.comparison.parameters import Comparison, Difference
from inft_tui.display.spans import Line, Span, fit, pad
from inft_tui.listing import Seen
from inft_tui.run_rows import state_of

_STATE = 12
_VALUE = 10
_STEP = 13
_NARROWEST_NAME = 12
_WIDEST_NAME = 48
_KEY_MOST = 34
_KEY_LEAST = 14
_CELL_LEAST = 12
_CELL_MOST = 40


@dataclass(frozen=True)
class Row:
    """What the legend tells of a run.

    Attributes:
        run: which.
        value: its last value, or the one at the cursor; None = none.
        best: where it was best, and that value; None = none, or neither is better.
    """

    run: Compared
    value: float | None = None
    best: tuple[float, float] | None = None


def legend(rows: Sequence[Row], columns: int, *, value: str, best: str, line: str, at: str, markers: str) -> list[Line]:
    """A heading and a line for each run.

    Args:
        rows: of the runs, in their order.
        columns: of the screen.
        value: what is above the values: last, or where the cursor is.
        best: lowest or highest; empty = neither is better.
        line: what a curve looks like in the terminal's characters.
        at: what the x axis counts.
        markers: of the curves where colours cannot tell them apart; empty = they can.
    """
    names = [row.run.name for row in rows]
    longest = max(map(len, names), default=0)
    wide = columns >= 72
    taken = 2 + 4 + 2 + (_STATE + 2 if wide else 0) + _VALUE + 2 + (_VALUE + 2 if best else 0)
    with_steps = columns - taken >= longest + _STEP + 4
    with_where = bool(best) and with_steps and columns - taken >= longest + _STEP + 18
    name = max(_NARROWEST_NAME, min(longest, _WIDEST_NAME, columns - taken - (_STEP + 2 if with_steps else 0)))
    head = f"      {pad('run', name)}"
    if wide:
        head += f"  {pad('state', _STATE)}"
    if with_steps:
        head += f"  {pad('step', _STEP, right=True)}"
    head += f"  {pad(value, _VALUE, right=True)}"
    if best:
        head += f"  {pad(best, _VALUE, right=True)}"
    if with_where:
        head += f"  at {at}"
    lines: list[Line] = [fit(((head, "dim"),), columns, "dim")]
    for place, row in enumerate(rows):
        role = f"series-{place + 1}"
        mark = (markers[place] if markers else line) * 2
        spans: list[Span] = [
            ("  ", "text"),
            (f"{LETTERS[place]} {mark}", role),
            (" " + pad(row.run.name, name), "title"),
        ]
        if wide:
            state, looks = _state(row.run)
            spans.append(("  " + pad(state, _STATE), looks))
        if with_steps:
            spans.append(("  " + pad(_steps(row.run), _STEP, right=True), "dim"))
        spans.append(("  " + pad("–" if row.value is None else figure(row.value), _VALUE, right=True), "text"))
        if best:
            spans.append(("  " + pad("–" if row.best is None else figure(row.best[1]), _VALUE, right=True), "text"))
        if with_where and row.best is not None:
            spans.append((f"  {figure(row.best[0])}", "dim"))
        lines.append(fit(tuple(spans), columns, "text"))
    return lines


def parameter_lines(comparison: Comparison | None, runs: Sequence[Compared], columns: int, key: str) -> list[Line]:
    """The table of what differs: a heading, a line per parameter, and one with what else differs.

    Args:
        comparison: in what the runs differ; None = not known yet.
        runs: in their order.
        columns: of the screen.
        key: what has to be pressed to choose other runs.
    """
    if comparison is None:
        return [(("  Reading their parameters …", "dim"),)]
    count = len(runs)
    if count < 2:
        return [
            (("  There is no other run yet to compare it with.  ", "dim"), (key, "accent"), (" chooses runs", "dim"))
        ]
    rows = comparison.parameters
    lines: list[Line] = []
    if count - len(comparison.unknown) < 2:
        lines.append((("  Their parameters cannot be compared:", "dim"),))
    elif not rows:
        lines.append((("  All parameters are the same.", "title"),))
    else:
        lines += _table(rows, runs, columns)
    if comparison.others:
        lines.append(_others(comparison.others, columns))
    for place in comparison.unknown:
        stated = runs[place].stated
        why = runs[place].problem or ("" if stated is None else stated.problem)
        lines.append(fit(((f"  {LETTERS[place]} ", f"series-{place + 1}"), (why, "dim")), columns, "text"))
    return lines


def _table(rows: Sequence[Difference], runs: Sequence[Compared], columns: int) -> list[Line]:
    count = len(runs)
    longest = max(len(row.key) + (len(row.unit) + 3 if row.unit else 0) for row in rows)
    key = max(_KEY_LEAST, min(longest, _KEY_MOST, columns - 2 - count * (_CELL_LEAST + 2)))
    widest = max((len(value) for row in rows for value in row.values if value is not None), default=1)
    cell = max(4, min(_CELL_MOST, max(widest, 6), (columns - 2 - key) // count - 2))
    head: list[Span] = [(f"  {pad('differs in', key)}", "title")]
    head += [(f"  {pad(LETTERS[place], cell)}", f"series-{place + 1}") for place in range(count)]
    lines = [fit(tuple(head), columns, "text")]
    for row in rows:
        text = f"{row.key} ({row.unit})" if row.unit and len(row.key) + len(row.unit) + 3 <= key else row.key
        spans: list[Span] = [(f"  {pad(text, key)}", "text" if row.shapes_curve else "dim")]
        spans += [
            (f"  {pad('–' if value is None else value, cell)}", "dim" if value is None else "text")
            for value in row.values
        ]
        lines.append(fit(tuple(spans), columns, "text"))
    return lines


def _others(others: Sequence[Difference], columns: int) -> Line:
    """For instance `also different: commit A 1f2e3d4, BC 5a6b7c8 · host A node1, BC node2`."""
    parts = []
    for row in others:
        by_value: dict[str, str] = {}
        for place, value in enumerate(row.values):
            by_value[value or "unknown"] = by_value.get(value or "unknown", "") + LETTERS[place]
        parts.append(f"{row.key} {', '.join(f'{letters} {value}' for value, letters in by_value.items())}")
    return fit((("  also different  ", "dim"), (" · ".join(parts), "text")), columns, "text")


def _state(run: Compared) -> tuple[str, str]:
    """What it is doing, and the role of that."""
    facts = run.facts
    if run.problem:
        return "▲ nothing", "warn"
    if facts is None:
        return "…", "dim"
    if facts.condition is None:
        return (f"▲ {facts.state}", "warn") if facts.problem else (f"· {facts.state}", "dim")
    mark, state, role = state_of(Seen(RunDirectory(run.path), condition=facts.condition))
    return f"{mark} {state}", role


def _steps(run: Compared) -> str:
    facts = run.facts
    if facts is None or not (facts.step or facts.max_steps):
        return ""
    return f"{facts.step:,}" if facts.max_steps is None else f"{facts.step:,}/{facts.max_steps:,}"
