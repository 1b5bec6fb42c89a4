"""The lines above the charts: what the run is doing, how far it is, and where the time of a step goes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

from inft.runs.quantities import figure
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.display.capabilities import Glyphs
from inft_tui.display.spans import EMPTY, Line, Span, cut, width
from inft_tui.feeds.facts import RunFacts
from inft_tui.run_rows import BARS
from inft_tui.words import coarse

WIDEST_BAR, _NARROWEST_BAR = 40, 8
_MARKS = {"finished": ("✓", "good"), "stopped": ("■", "warn"), "failed": ("✗", "bad")}
_BEFORE_TRAINING = ("queued", "starting", "loading")
_AVERAGED = 10
"""Newest points that say how fast it is and where a step's time goes: one alone may be an odd one."""
_PACES = ("samples_per_sec", "step_time_sec")
_IN_FULL = {
    "data_sec": "waiting for data",
    "forward_sec": "forward",
    "backward_sec": "backward",
    "optimizer_sec": "optimiser",
}
"""Parts of a step, by their keys."""
_IN_SHORT = {"data_sec": "waiting for data", "compute_sec": "computing"}
"""The same for a narrow terminal, and for logs of versions that measured no more."""
_GAP: Span = ("   ", "text")


def heading(
    facts: RunFacts, series: Mapping[str, Series], columns: int, glyphs: Glyphs, most_wrong: int = 2
) -> list[Line]:
    """Up to three lines: state and name, how far it is, what it does a second; and more where something is wrong.

    Args:
        facts: of the run.
        series: its curves.
        columns: that there are.
        glyphs: what the terminal can draw.
        most_wrong: lines that may be about what is wrong.
    """
    lines = [_progress(facts, columns, glyphs), _pace(facts, series, columns)]
    return [_state(facts, columns), *filter(None, lines), *_wrong(facts, columns, most_wrong)]


def _state(facts: RunFacts, columns: int) -> Line:
    mark, word, role = state_of(facts)
    state: Line = ((f" {mark} {word}", role), ("  ", "text"))
    room = columns - width(state)
    about = f"   {facts.stage}" if facts.state == "loading" and facts.stage else ""
    return (*state, (cut(facts.run_id, room), "title"), (cut(about, max(0, room - len(facts.run_id))), "dim"))


def state_of(facts: RunFacts) -> tuple[str, str, str]:
    """A mark, a word and a role for what a run is doing."""
    condition = facts.condition
    if facts.state == "foreign":
        return "·", "log of another program", "dim"
    if condition is None:
        return ("▲", facts.state, "warn") if facts.state else ("·", "reading", "dim")
    if condition.stalled_sec is not None:
        return "▲", "stalled", "warn"
    if condition.alive:
        return "●", facts.state, "info" if facts.state in _BEFORE_TRAINING else "accent"
    mark, role = _MARKS.get(facts.state, ("·", "dim"))
    return mark, facts.state, role


def _progress(facts: RunFacts, columns: int, glyphs: Glyphs) -> Line:
    of = "" if facts.max_steps is None else f" of {facts.max_steps:,}"
    parts: list[Span] = []
    if facts.step or facts.max_steps:
        parts.append((f"step {facts.step:,}{of}", "text"))
    condition = facts.condition
    if condition is not None and condition.stalled_sec is not None:
        parts.append((f"no sign of progress for {coarse(condition.stalled_sec)}", "warn"))
    elif facts.eta_s is not None and facts.state == "training":
        parts.append((f"about {coarse(facts.eta_s)} left" if facts.eta_s >= 60 else "less than a minute left", "text"))
    if condition is not None and condition.alive and condition.elsewhere:
        parts.append(("on another machine", "dim"))
    if not facts.max_steps:
        return _fitting(parts, columns)
    said = _spaced(parts)
    share = min(1.0, max(0.0, facts.step / facts.max_steps))
    room = min(WIDEST_BAR, columns - width(said) - 10)
    if room < _NARROWEST_BAR:
        return _fitting([(f"{share:.0%}", "text"), *parts], columns)
    full, empty = BARS[glyphs]
    done = round(share * room)
    role = state_of(facts)[2]
    return ((" ", "text"), (full * done, role), (empty * (room - done), "faint"), (f" {share:4.0%}   ", "text"), *said)


def _pace(facts: RunFacts, series: Mapping[str, Series], columns: int) -> Line:
    parts: list[Span] = []
    if facts.loss:
        parts.append((f"loss {facts.loss}", "bad" if facts.loss == "not finite" else "text"))
    evaluated = _last(series.get("eval_loss"))
    if evaluated is not None:
        parts.append((f"eval loss {figure(evaluated)}", "text"))
    samples = _mean(series.get("samples_per_sec"))
    samples = facts.samples_per_sec if samples is None else samples
    if samples is not None:
        parts.append((f"{figure(samples)} samples/s", "text"))
    averaged = min(_AVERAGED, max((len(series[key].y) for key in _PACES if key in series), default=0))
    mean: list[Span] = [(f"(mean of the last {averaged})", "dim")] if averaged > 1 else []
    after = [*_utilisation(series), *mean]
    in_full = _line([*parts, *_where_time_goes(series, _IN_FULL), *after])
    if "forward_sec" in series and width(in_full) <= columns:
        return in_full
    return _fitting([*parts, *_where_time_goes(series, _IN_SHORT), *after], columns)


def _where_time_goes(series: Mapping[str, Series], named: Mapping[str, str]) -> list[Span]:
    """The time of a step, and which shares of it the named parts take, over the newest ones."""
    step = _mean(series.get("step_time_sec"))
    if step is None or step <= 0:
        return []
    seconds = {what: _mean(series.get(key)) for key, what in named.items()}
    shares = [
        f"{part / step:.0%} {what}" for what, part in seconds.items() if part is not None and 0 <= part <= 1.5 * step
    ]
    return [(f"{figure(step)} s a step{': ' if shares else ''}{', '.join(shares)}", "text")]


def _utilisation(series: Mapping[str, Series]) -> list[Span]:
    """How much of the GPU's matrix rate the model takes, over the newest steps."""
    share = _mean(series.get("mfu"))
    return [] if share is None else [(f"MFU {share:.0%}", "text")]


def _wrong(facts: RunFacts, columns: int, most: int) -> list[Line]:
    """What stopped it, what cannot be read, or the last thing that it warned of; and what to do about it."""
    cause = facts.cause
    if facts.problem:
        return _wrapped(f"▲ {facts.problem}", "", "warn", columns, most)
    if cause is not None and facts.state in ("failed", "stopped"):
        message, fix = (visible(redact(text)) for text in (cause.message, cause.fix))
        return _wrapped(message, fix, "bad" if facts.state == "failed" else "warn", columns, most)
    if facts.alerts and facts.condition is not None and facts.condition.alive:
        alert = facts.alerts[-1]
        if alert.level in ("warning", "error"):
            role = "bad" if alert.level == "error" else "warn"
            return _wrapped(f"▲ {alert.message}", alert.fix, role, columns, most)
    return []


def _wrapped(message: str, fix: str, role: str, columns: int, most: int) -> list[Line]:
    """Both in one line where they fit, else each in lines of its own as far as there is room for them."""
    line: Line = ((f" {message}", role), *([(f"  {fix}", "text")] if fix else []))
    if width(line) <= columns or most <= 1:
        return [line]
    room = max(20, columns - 2)
    said: list[Span] = [(part, role) for part in textwrap.wrap(message, room, break_on_hyphens=False)]
    said += [(part, "text") for part in textwrap.wrap(fix, room, break_on_hyphens=False)]
    if len(said) > most:
        said[most - 1] = (" ".join(text for text, _ in said[most - 1 :]), said[most - 1][1])
    return [((f" {text}", kind),) for text, kind in said[:most]]


def _fitting(parts: list[Span], columns: int) -> Line:
    """The first of them, as many as there is room for."""
    for number in range(len(parts), 0, -1):
        line = _line(parts[:number])
        if width(line) <= columns:
            return line
    return EMPTY


def _line(parts: list[Span]) -> Line:
    return ((" ", "text"), *_spaced(parts))


def _spaced(parts: list[Span]) -> Line:
    spans: list[Span] = []
    for part in parts:
        spans += [_GAP, part] if spans else [part]
    return tuple(spans)


def _last(series: Series | None) -> float | None:
    return None if series is None or not len(series) or not math.isfinite(series.y[-1]) else series.y[-1]


def _mean(series: Series | None) -> float | None:
    if series is None:
        return None
    newest = [value for value in series.y[-_AVERAGED:] if math.isfinite(value)]
    return sum(newest) / len(newest) if newest else None
