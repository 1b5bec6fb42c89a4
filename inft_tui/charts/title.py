"""The first row of a chart: its name, the values at the cursor or the last ones, and what is unusual."""

from __future__ import annotations

import math
from bisect import bisect_right

from inft_tui.charts.axis import Since, Steps
from inft_tui.charts.cells import BLANK, Cell, cells_of
from inft_tui.charts.glyphs import GlyphSet
from inft_tui.charts.ink import LINE_STYLES
from inft_tui.charts.plot import Curve
from inft_tui.charts.scale import duration, number
from inft_tui.charts.shown import Shown
from inft_tui.charts.view import Counted, View

_SHORTEST_NAME = 4


def title(shown: Shown, view: View, width: int, glyphs: GlyphSet, said: str, *, outside: bool = False) -> list[Cell]:
    """`width` cells. What has no room is left out: first the notes, then values from the last, then the name's end.

    Args:
        shown: what the chart is of.
        view: whose cursor is read out.
        width: in columns.
        glyphs: for keys and the ellipsis.
        said: about what happened at the cursor; "" = nothing.
        outside: whether a value lies outside of the value axis.
    """
    parts = [] if view.cursor is None else [(_position(view.cursor, shown, view), "label")]
    several = len(shown.curves) > 1
    for name, curve in shown.curves:
        text = _values(curve, shown.unit, view.cursor)
        if several:
            key = glyphs.key[curve.style]
            text = f"{key}{text}" if name == shown.title else f"{key}{name} {text}"
        parts.append((text, LINE_STYLES[curve.style] if several else "value"))
    if said:
        parts.append((said, "label"))
    room = width - 2 - len(parts[0][0]) if parts else width
    cells = cells_of(shown.title, "title", room if room >= _SHORTEST_NAME else width, glyphs.ellipsis)
    is_whole = True
    for text, style in parts:
        written = cells_of(text, style)
        if len(cells) + 2 + len(written) <= width:
            cells += [BLANK] * 2 + written
        else:
            is_whole = False
    notes = _notes(shown.note if is_whole else "", shown, view, outside=outside)
    note = next((text for text in notes if len(cells) + 2 + len(text) <= width), "")
    return [*cells, *[BLANK] * (width - len(cells) - len(note)), *(Cell(char, "note") for char in note)]


def _notes(note: str, shown: Shown, view: View, *, outside: bool) -> list[str]:
    """What is unusual, the gravest at the end; shorter ones, which leave out the lightest, after the longer."""
    gaps = sum(curve.series.extent(0, len(curve.series)).gaps for _, curve in shown.curves)
    parts = [
        note,
        "log x" if view.log_x else "",
        "log y" if view.log_y else "",
        "" if view.follow else "held",
        "values outside" if outside else "",
        f"{gaps:,} not finite" if gaps else "",
    ]
    said = [part for part in parts if part]
    return [", ".join(said[start:]) for start in range(len(said))]


def _values(curve: Curve, unit: str, cursor: float | None) -> str:
    """The value at the cursor, or the last one; with the unit, and the smoothed one."""
    series, smoothed = curve.series, curve.smoothed
    place = len(series) - 1 if cursor is None else bisect_right(series.x, cursor) - 1
    if place < 0:
        return "no value yet" if cursor is None else "none"
    text = f"{number(series.y[place])} {unit}".rstrip()
    if smoothed is not None and place < len(smoothed) and not math.isnan(value := smoothed.value(place)):
        text += f" ~{number(value)}"
    return text


def _position(step: float, shown: Shown, view: View) -> str:
    text = f"step {step:,.0f}" if step == int(step) else f"step {step:,.2f}"
    if not shown.curves or view.counted is Counted.STEP:
        return text
    axis = shown.curves[0][1].axis
    at = axis.position(step)
    if view.counted is Counted.TIME and isinstance(axis, Since | Steps):
        return f"at {duration(round(at))}"
    if isinstance(axis, Steps):  # the series themselves are over epochs
        return f"epoch {at:.3f}"
    return f"{text}, {duration(at)}" if view.counted is Counted.TIME else f"{text}, epoch {at:.3f}"
