"""What a chart shows as a table or a drawing for a paper."""

from __future__ import annotations

import csv
import io
import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice

from inft_tui.charts.axis import Axis
from inft_tui.charts.plot import Curve, Viewport
from inft_tui.charts.scale import labels, log_labels, log_ticks, ticks
from inft_tui.charts.smoothing import smoothed_values

_WIDTH, _HEIGHT = 900, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 40, 46
_COLUMNS = _WIDTH - _LEFT - _RIGHT
# Okabe and Ito's colours, which people of all three kinds of colour blindness tell apart, dark enough for white paper.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5d3a9b", "#4d4d4d")


@dataclass(frozen=True)
class Points:
    """The points of one curve that are shown, apart from the curve, which goes on.

    Attributes:
        name: of the curve.
        xs: where they lie.
        ys: all values of the curve up to the last one shown, which smoothing has to begin with.
        axis: what the x axis counts.
        weight: of the smoothing; 0 = none.
    """

    name: str
    xs: array[float]
    ys: array[float]
    axis: Axis
    weight: float


def points_of(curves: Sequence[tuple[str, Curve]], viewport: Viewport) -> list[Points]:
    """What is shown of `curves`, to be written later or in another thread; a million points take a few ms."""
    found = []
    for name, curve in curves:
        shown = _shown(curve, viewport)
        weight = 0.0 if curve.smoothed is None else curve.smoothed.weight
        xs, ys = curve.series.x[shown.start : shown.stop], curve.series.y[: shown.stop]
        found.append(Points(name, xs, ys, curve.axis.frozen(), weight))
    return found


def to_csv(points: Sequence[Points], position: str = "step") -> str:
    """Every point, a line each: name, `position`, its place on the x axis, raw value, smoothed value.

    Numbers in full; NaN and infinities as `nan`, `inf` and `-inf`; no smoothed value where nothing is smoothed.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("series", position, "x", "value", "smoothed"))
    for curve in points:
        first, at = len(curve.ys) - len(curve.xs), curve.axis.position
        values = islice(curve.ys, first, None)
        if not curve.weight:
            writer.writerows(
                (curve.name, _plain(x), _plain(at(x)), repr(value), "")
                for x, value in zip(curve.xs, values, strict=True)
            )
            continue
        smoothed = islice(smoothed_values(curve.ys, curve.weight), first, None)
        writer.writerows(
            (curve.name, _plain(x), _plain(at(x)), repr(value), repr(smooth))
            for x, value, smooth in zip(curve.xs, values, smoothed, strict=True)
        )
    return out.getvalue()


def to_svg(title: str, curves: Sequence[tuple[str, Curve]], viewport: Viewport, counted: str) -> str:
    """The window as a drawing: the envelope pale, over it the smoothed curve, or the envelope alone as the curve.

    Args:
        title: stands above.
        curves: with their names.
        viewport: what is shown of them.
        counted: what the x axis counts, as it is to be written under it.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
        f' viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="16" fill="#222222">{escape(title)}</text>',
        *_axes(viewport, counted),
        f'<clipPath id="plot"><rect x="{_LEFT}" y="{_TOP}" width="{_COLUMNS}"'
        f' height="{_HEIGHT - _TOP - _BOTTOM}"/></clipPath>',
    ]
    for place, (name, curve) in enumerate(curves):
        colour = _COLOURS[curve.style % len(_COLOURS)]
        parts += _drawn(name, curve, viewport, colour)
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{_TOP + 16 + 18 * place}" text-anchor="end" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _shown(curve: Curve, viewport: Viewport) -> range:
    first, last = curve.axis.steps([viewport.x0, viewport.x1])
    start = bisect_left(curve.series.x, first)
    return range(start, max(start, bisect_left(curve.series.x, math.nextafter(last, math.inf))))


def _axes(viewport: Viewport, counted: str) -> list[str]:
    across = (log_ticks if viewport.log_x else ticks)(viewport.positions, 8)
    up = (log_ticks if viewport.log_y else ticks)(viewport.values, 7)
    floor = _HEIGHT - _BOTTOM
    parts = []
    for value, text in zip(up, (log_labels if viewport.log_y else labels)(up), strict=True):
        y = _y(value, viewport)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{text}</text>')
    for value, text in zip(across, (log_labels if viewport.log_x else labels)(across), strict=True):
        x = _x(value, viewport)
        parts.append(f'<path d="M{x:.1f} {floor}v5" stroke="#888888"/>')
        parts.append(f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle" fill="#555555">{text}</text>')
    parts.append(f'<path d="M{_LEFT} {_TOP}V{floor}H{_WIDTH - _RIGHT}" fill="none" stroke="#888888"/>')
    parts.append(
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end" fill="#555555">{escape(counted)}</text>'
    )
    return parts


def _drawn(name: str, curve: Curve, viewport: Viewport, colour: str) -> list[str]:
    """The envelope as vertical strokes joined along the way, broken at gaps, and the smoothed curve."""
    edges = viewport.edges(_COLUMNS)
    raw, smooth = _Path(), _Path()
    for place, column in enumerate(curve.series.columns_between(curve.axis.steps(edges))):
        if column is None:
            continue
        if column.is_empty or (viewport.log_y and column.low <= 0):
            raw.lift()
            smooth.lift()
            continue
        x = _LEFT + place + 0.5
        for value in (column.first, column.low, column.high, column.last):
            raw.to(x, _y(value, viewport))
        smoothed = curve.smoothed
        if smoothed is not None and column.stop <= len(smoothed):
            smooth.to(x, _y(smoothed.value(column.stop - 1), viewport))
    width, opacity = (1.0, 0.3) if curve.smoothed is not None else (1.5, 1.0)
    kept = [(raw, width, opacity), (smooth, 2.0, 1.0)]
    return [
        f'<path d="{path.text}" clip-path="url(#plot)" fill="none" stroke="{colour}"'
        f' stroke-width="{width}" stroke-opacity="{opacity}" stroke-linecap="round" stroke-linejoin="round">'
        f"<title>{escape(name)}</title></path>"
        for path, width, opacity in kept
        if path.text
    ]


class _Path:
    """The way of a pen."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._is_up = True

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def to(self, x: float, y: float) -> None:
        step = f"{'M' if self._is_up else 'L'}{x:.1f} {y:.1f}"
        # A stroke to where it began is a dot, with round ends.
        self._parts.append(f"{step}h0" if self._is_up else step)
        self._is_up = False

    def lift(self) -> None:
        self._is_up = True


def _x(position: float, viewport: Viewport) -> float:
    return _LEFT + viewport.across(position) * _COLUMNS


def _y(value: float, viewport: Viewport) -> float:
    low, high = viewport.y0, viewport.y1
    share = math.log(value / low) / math.log(high / low) if viewport.log_y else (value - low) / (high - low)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _plain(x: float) -> str:
    return str(int(x)) if x == int(x) else repr(x)
