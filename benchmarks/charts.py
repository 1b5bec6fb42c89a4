"""What a chart of a long curve costs: `python -m benchmarks.charts`.

Prints one JSON object. Times are CPU seconds of this process as milliseconds, the best of `--rounds`, for a chart of
150x40 cells in braille; memory is what the objects hold beyond the raw values (x and y, 8 bytes each).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import count

from inft_tui.charts.chart import Chart, Content
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.plot import Curve, Plot, Viewport
from inft_tui.charts.series import Series
from inft_tui.charts.smoothing import Smoothed

WIDTH, HEIGHT = 150, 40
SLICE = 50_000
"""Points that a chart smooths at once."""


def values(points: int) -> list[float]:
    """Like a loss: it falls, and never twice to the same."""
    luck = random.Random(1)
    return [2.5 * 0.99999**step + luck.gauss(0, 0.2) for step in range(points)]


def best_ms(rounds: int, doing: Callable[[], object]) -> float:
    """The least CPU time of `doing`, in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        doing()
        times.append(time.process_time() - began)
    return round(min(times) * 1000, 3)


def measure_memory(ys: list[float]) -> dict[str, float]:
    """KiB that a series allocates beyond its raw values, then for smoothing it, and what its arrays keep to grow into.

    The last is set aside but never written to, so the kernel gives no memory for it.
    """
    tracemalloc.start()
    series = Series("loss")
    series.extend(range(len(ys)), ys)
    filled = tracemalloc.get_traced_memory()[0]
    smoothed = Smoothed(series, 0.98)
    smoothed.advance(len(ys))
    with_smoothing = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    raw = 16 * len(ys)
    room = sys.getsizeof(series.x) + sys.getsizeof(series.y) - raw
    return {
        "pyramid_kib": round(series.pyramid_bytes / 1024, 1),
        "beyond_raw_kib": round((filled - raw - room) / 1024, 1),
        "smoothing_kib": round((with_smoothing - filled) / 1024, 1),
        "room_to_grow_kib": round(room / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What a chart of a long curve costs.")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    points, rounds = arguments.points, arguments.rounds
    ys = values(points)
    memory = measure_memory(ys)

    def append_all() -> None:
        fresh = Series("loss")
        for step, value in enumerate(ys):
            fresh.append(step, value)

    append_ms = best_ms(2, append_all)
    extend_ms = best_ms(2, lambda: Series("loss").extend(range(points), ys))

    series = Series("loss")
    series.extend(range(points), ys)
    smoothed = Smoothed(series, 0.98)
    slice_ms = best_ms(1, lambda: smoothed.advance(SLICE))
    smoothed.advance(points)
    view = Viewport(0, points, -1, 4)
    redraw_ms = best_ms(rounds, lambda: Plot([Curve(series)], view, WIDTH, HEIGHT))
    smoothed_redraw_ms = best_ms(rounds, lambda: Plot([Curve(series, 0, smoothed)], view, WIDTH, HEIGHT))

    chart = Chart(Glyphs.BRAILLE)
    chart.resize(WIDTH, HEIGHT)
    chart.show(Content("loss", {"loss": series}, end=2 * points))
    while chart.is_behind:
        chart.points_added()
    steps = count(points)

    def one_point() -> None:
        series.append(next(steps), 1.5)
        chart.points_added()

    figures = {
        "points": points,
        **memory,
        "append_per_s": round(points / append_ms * 1000),
        "extend_per_s": round(points / extend_ms * 1000),
        "smoothing_slice_ms": slice_ms,
        "redraw_ms": redraw_ms,
        "redraw_smoothed_ms": smoothed_redraw_ms,
        "whole_chart_ms": best_ms(rounds, lambda: chart.resize(WIDTH, HEIGHT)),
        "live_point_ms": best_ms(50, one_point),
        "cursor_ms": best_ms(rounds, lambda: chart.move_cursor(-1)),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
