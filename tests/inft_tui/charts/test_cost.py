"""What a chart may cost, with room for a busy machine; exact figures are `benchmarks.charts`' business."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from inft_tui.charts.chart import Chart, Content
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.plot import Curve, Plot, Viewport
from inft_tui.charts.series import Series
from inft_tui.charts.smoothing import Smoothed


def best_s(doing: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = time.process_time()
        doing()
        times.append(time.process_time() - began)
    return min(times)


def test_a_million_points() -> None:
    luck = random.Random(1)
    series = Series("loss")
    series.extend(range(1_000_000), [luck.gauss(0, 1) for _ in range(1_000_000)])
    assert series.pyramid_bytes <= 64 * 1024
    smoothed = Smoothed(series, 0.98)
    smoothed.advance(1_000_000)
    curve = Curve(series, 0, smoothed)
    assert best_s(lambda: Plot([curve], Viewport(0, 1_000_000, -6, 6), 150, 40)) < 0.05  # 9 ms

    chart = Chart(Glyphs.BRAILLE)
    chart.resize(150, 40)
    chart.show(Content("loss", {"loss": series}, end=2_000_000))
    while chart.is_behind:
        chart.points_added()

    def one_point() -> None:
        series.append(len(series), 0.5)
        assert chart.points_added()

    assert best_s(one_point) < 0.005  # 0.3 ms
