"""What the small charts of the System screen are of: figures over time on axes that show what there could be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inft_tui.charts.chart import Content
from inft_tui.charts.plot import Curve, Viewport
from inft_tui.charts.series import Series
from inft_tui.charts.view import View
from inft_tui.feeds.hardware_feed import GpuCurves, HardwareFeed

_SHORTEST_S = 600.0
"""Of the time axis: one that grows with every sample would be drawn anew each time."""
_DEGREES = 100.0
"""No card is meant to be hotter; the value axis grows where one is."""


@dataclass
class Gauge(View):
    """A view whose value axis begins at 0 and ends at what there is in all, or beyond it where the values do.

    Attributes:
        most: what there is in all; 0 = not known.
    """

    most: float = 0.0

    def viewport(
        self, curves: Sequence[Curve], end: float | None, ticks_y: int, *, from_zero: bool = True
    ) -> Viewport | None:
        """What to draw; None where nothing can be drawn."""
        found = super().viewport(curves, end, ticks_y, from_zero=from_zero)
        if found is None:
            return None
        highest = found.y1
        if self.most > 0:
            highs = [curve.series.extent(0, len(curve.series)).high for curve in curves]
            highest = self.most if max(highs, default=0.0) <= self.most else max(self.most, found.y1)
        return replace(found, y0=0.0, y1=highest)


@dataclass(frozen=True)
class Small:
    """A small chart.

    Attributes:
        content: its curve.
        most: see `Gauge`.
    """

    content: Content
    most: float


def gpu_charts(feed: HardwareFeed, gpu: GpuCurves) -> list[Small]:
    """Of one GPU: use, memory, temperature, power; without those that it does not tell, the most telling first."""
    total = _last(gpu.series.get("memory_total_gib"))
    limit = _last(gpu.series.get("power_limit_w"))
    wanted = (
        ("use", "utilization_percent", "%", 100.0),
        ("memory", "memory_used_gib", "GiB", total),
        ("temperature", "temperature_c", "°C", _DEGREES),
        ("power", "power_w", "W", limit),
    )
    return _charts(feed, gpu.series, wanted)


def host_charts(feed: HardwareFeed, cores: float) -> list[Small]:
    """Of the host: its memory and its load.

    Args:
        feed: the samples.
        cores: processors of the machine; 0 = not known.
    """
    total = _last(feed.host.get("host_memory_total_gib"))
    wanted = (("host memory", "host_memory_used_gib", "GiB", total), ("load", "load_1min", "", cores))
    return _charts(feed, feed.host, wanted)


def began_at(feed: HardwareFeed) -> float | None:
    """When the first sample was taken, in seconds since 1970; None where there is none."""
    return min((series.x[0] for series in feed.host.values() if len(series)), default=None)


def _charts(
    feed: HardwareFeed, series: Mapping[str, Series], wanted: Sequence[tuple[str, str, str, float]]
) -> list[Small]:
    since = began_at(feed)
    return [
        Small(Content(title, {title: series[key]}, unit, end=since + _SHORTEST_S, smooth=False, since=since), most)
        for title, key, unit, most in wanted
        if key in series and since is not None
    ]


def _last(series: Series | None) -> float:
    if series is None or not len(series) or not math.isfinite(series.y[-1]):
        return 0.0
    return series.y[-1]
