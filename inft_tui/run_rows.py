"""The lines of the Runs screen: which columns there is room for, and a run in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inft.errors import DiskError
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.display.capabilities import Glyphs
from inft_tui.display.spans import Line, Span, fit, pad
from inft_tui.listing import Seen
from inft_tui.words import coarse, seconds_left, seconds_since

RAMPS: dict[Glyphs, str] = {"braille": "▁▂▃▄▅▆▇█", "block": "_▄█", "ascii": "_.-=#"}
BARS: dict[Glyphs, tuple[str, str]] = {"braille": ("━", "─"), "block": ("█", "░"), "ascii": ("=", ".")}

_STATE = 12  # "● evaluating"
_NARROWEST_NAME = 18
_WIDEST_NAME = 48
_NARROWEST_REMARK = 12
_WIDTHS = {"share": 4, "step": 13, "loss": 8, "age": 6, "eta": 6, "curve": 10, "bar": 14, "remark": _NARROWEST_REMARK}
_WIDEST_CURVE = 24
_WANTED = ("step", "loss", "age", "eta", "curve", "bar", "remark")
"""What is shown where there is room, the most useful first."""
_WANTED_IF_NARROW = ("share", "loss", "age")
NARROW = 72
"""Below this the share of the steps stands for their number, so that a run's name keeps its time of day."""
_ORDER = ("bar", "share", "step", "loss", "curve", "eta", "age", "remark")
_FIGURES = frozenset({"share", "step", "loss", "eta", "age"})
_GAP = "  "

_MARKS = {"finished": ("✓", "good"), "stopped": ("■", "warn"), "failed": ("✗", "bad")}


@dataclass(frozen=True)
class Columns:
    """Which columns there are, and how wide each is.

    Attributes:
        total: of the whole line.
        name: of the run's name.
        widths: of the others, in their order.
    """

    total: int
    name: int
    widths: tuple[tuple[str, int], ...]


def columns_for(total: int, runs: Sequence[Seen]) -> Columns:
    """What fits into `total` columns."""
    longest = max([len(seen.run.run_id) for seen in runs], default=_NARROWEST_NAME)
    fixed = 1 + _STATE + len(_GAP)
    wanted = _WANTED_IF_NARROW if total < NARROW else _WANTED
    needed = sum(_WIDTHS[name] + len(_GAP) for name in wanted[:2])
    name = max(_NARROWEST_NAME, min(longest, _WIDEST_NAME, total - fixed - needed))
    left = total - fixed - name
    chosen: dict[str, int] = {}
    for column in wanted:
        if left < _WIDTHS[column] + len(_GAP):
            break
        chosen[column] = _WIDTHS[column]
        left -= _WIDTHS[column] + len(_GAP)
    if "curve" in chosen:
        more = min(left, _WIDEST_CURVE - chosen["curve"])
        chosen["curve"] += more
        left -= more
    if "remark" in chosen:
        chosen["remark"] += left
    return Columns(total, name, tuple((column, chosen[column]) for column in _ORDER if column in chosen))


def heading(columns: Columns) -> Line:
    """The names of the columns."""
    names = {"share": "done", "bar": "progress", "eta": "left", "curve": "loss so far", "remark": ""}
    spans: list[Span] = [(f" {pad('state', _STATE)}{_GAP}{pad('run', columns.name)}", "dim")]
    for column, width in columns.widths:
        text = names.get(column, column)
        spans.append((_GAP + pad(text, width, right=column in _FIGURES), "dim"))
    return fit(tuple(spans), columns.total, "dim")


def row(seen: Seen, columns: Columns, glyphs: Glyphs, *, selected: bool, marked: bool = False) -> Line:
    """One run.

    Args:
        seen: the run.
        columns: which there are.
        glyphs: what bars and curves are drawn with.
        selected: whether keys are about this one.
        marked: whether it is to be compared with others.
    """
    mark, state, role = state_of(seen)
    curve = sparkline(seen.curve, dict(columns.widths).get("curve", 0), glyphs)
    drawn: dict[str, Line] = {"bar": _bar(seen, glyphs), "curve": ((curve, "accent"),)}
    texts = {
        "share": _share(seen),
        "step": _step(seen),
        "loss": seen.news.loss,
        "eta": _left(seen),
        "age": age(seen),
        "remark": remark(seen),
    }
    name = visible(seen.run.run_id)
    ended = seen.condition is not None and not seen.condition.alive
    spans: list[Span] = [
        ("+" if marked else " ", "accent"),
        (f"{pad(f'{mark} {state}', _STATE)}{_GAP}", role),
        (pad(name, columns.name), "dim" if ended and not selected else "title"),
    ]
    for column, width in columns.widths:
        spans.append((_GAP, "text"))
        if column in drawn:
            spans += fit(drawn[column], width, "text")
        else:
            right = column in _FIGURES
            shown = role if column == "remark" else "dim" if column in ("age", "eta") else "text"
            spans.append((pad(texts[column], width, right=right), shown))
    line = _merged(fit(tuple(spans), columns.total, "text"))
    return tuple((text, f"{kind} selected") for text, kind in line) if selected else line


def _merged(line: Line) -> Line:
    """The same with neighbours of one role as one, and no colour for blanks: each change costs 40 bytes."""
    merged: list[Span] = []
    for text, role in line:
        if merged and (not text.strip() or role == merged[-1][1]):
            merged[-1] = (merged[-1][0] + text, merged[-1][1])
        elif text:
            merged.append((text, role))
    return tuple(merged)


def state_of(seen: Seen) -> tuple[str, str, str]:
    """A mark, a word and a role for what a run is doing."""
    if seen.problem is not None:
        return "▲", "unreadable" if isinstance(seen.problem, DiskError) else "damaged", "warn"
    condition = seen.condition
    if condition is None:
        return "·", "", "dim"
    if condition.stalled_sec is not None:
        return "▲", "stalled", "warn"
    if condition.alive:
        return "●", condition.state, "info" if condition.state in ("queued", "starting", "loading") else "accent"
    mark, role = _MARKS.get(condition.state, ("·", "dim"))
    return mark, condition.state, role


def matches(seen: Seen, words: Sequence[str]) -> bool:
    """Whether each of `words`, in lower case, is somewhere in the run's name, profile, state or remark."""
    if not words:
        return True
    live = "live" if seen.condition is not None and seen.condition.alive else ""
    text = f"{seen.run.run_id} {seen.profile} {state_of(seen)[1]} {live} {remark(seen)}".lower()
    return all(word in text for word in words)


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """`values` as a curve of one line, as wide as there are of them and at most `width`.

    >>> sparkline([1, 2, 3], 10, "braille"), sparkline([2.0, 2.0], 10, "ascii"), sparkline([], 5, "ascii")
    ('▁▅█', '--', '')
    """
    ramp = RAMPS[glyphs]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) > width > 1:
        finite = [finite[round(at * (len(finite) - 1) / (width - 1))] for at in range(width)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    if high <= low:
        return ramp[len(ramp) // 2] * len(finite)
    steps = len(ramp) - 1
    return "".join(ramp[min(steps, int((value - low) / (high - low) * steps + 0.5))] for value in finite)


def age(seen: Seen) -> str:
    """Since when there is this run; the first minute is not counted out, so that nothing moves for it."""
    seconds = seconds_since(seen.created)
    return "" if seconds is None else "now" if seconds < 60 else coarse(seconds)


def remark(seen: Seen) -> str:
    """What else is to be said of a run in a few words."""
    condition = seen.condition
    if seen.problem is not None:
        return visible(redact(seen.problem.message))
    if condition is None:
        return ""
    if condition.stalled_sec is not None:
        return f"no progress for {coarse(condition.stalled_sec)}"
    if condition.state == "failed" and condition.cause is not None:
        return visible(condition.cause.kind.replace("_", " "))
    if condition.state == "loading":
        return visible(seen.news.stage)
    return "on another machine" if condition.alive and condition.elsewhere else ""


def _bar(seen: Seen, glyphs: Glyphs) -> Line:
    condition = seen.condition
    if condition is None or not condition.max_steps:
        return ()
    width = _WIDTHS["bar"] - 5
    share = min(1.0, condition.step / condition.max_steps)
    full, empty = BARS[glyphs]
    done = round(share * width)
    role = state_of(seen)[2]
    return ((full * done, role), (empty * (width - done), "faint"), (f"{share:5.0%}", "dim"))


def _share(seen: Seen) -> str:
    condition = seen.condition
    if condition is None or not condition.max_steps:
        return ""
    return f"{min(1.0, condition.step / condition.max_steps):.0%}"


def _step(seen: Seen) -> str:
    condition = seen.condition
    if condition is None or not (condition.step or condition.max_steps):
        return ""
    return f"{condition.step:,}" if condition.max_steps is None else f"{condition.step:,}/{condition.max_steps:,}"


def _left(seen: Seen) -> str:
    if seen.condition is None or seen.condition.stalled_sec is not None:
        return ""
    left = seconds_left(seen.condition, seen.news)
    return "" if left is None else "<1 min" if left < 60 else coarse(left)
