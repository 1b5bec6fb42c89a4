"""Which charts there are of a run, and in which order: first what people look at, then every other number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inft_tui.charts.chart import Content
from inft_tui.charts.glyphs import CURVES
from inft_tui.charts.series import Series
from inft_tui.charts.view import Counted
from inft_tui.feeds.hardware_feed import GpuCurves, HardwareFeed
from inft_tui.feeds.run_feed import Feed


@dataclass(frozen=True)
class _Known:
    """A chart that has a place of its own.

    Attributes:
        key: its lasting name.
        title: above it.
        parts: names within the chart, each with its key in the file.
        unit: of the values.
        smooth: whether the curves are noisy.
        from_zero: whether its axis begins at 0: of what is in use of something, little more is no mountain.
    """

    key: str
    title: str
    parts: tuple[tuple[str, str], ...]
    unit: str = ""
    smooth: bool = True
    from_zero: bool = False


_OF_TRAINING = (
    _Known("loss", "loss", (("loss", "loss"), ("eval", "eval_loss"))),
    _Known("learning_rate", "learning rate", (("learning rate", "learning_rate"),), smooth=False),
    _Known("grad_norm", "gradient norm", (("gradient norm", "grad_norm"),)),
    _Known("samples_per_sec", "throughput", (("throughput", "samples_per_sec"),), "samples/s"),
    _Known("peak_vram_gib", "peak GPU memory", (("peak GPU memory", "peak_vram_gib"),), "GiB", False, True),
)
_OF_GPUS = (
    _Known("gpu_memory", "GPU memory", (("", "memory_used_gib"),), "GiB", False, True),
    _Known("gpu_utilisation", "GPU utilisation", (("", "utilization_percent"),), "%", False, True),
    _Known("gpu_temperature", "GPU temperature", (("", "temperature_c"),), "°C", False, True),
    _Known("gpu_power", "GPU power", (("", "power_w"),), "W", smooth=False),
)
_OF_TRAINING_TOO = (
    _Known(
        "step_time",
        "step time",
        (
            ("step", "step_time_sec"),
            ("data", "data_sec"),
            ("compute", "compute_sec"),
            ("forward", "forward_sec"),
            ("backward", "backward_sec"),
            ("optimiser", "optimizer_sec"),
        ),
        "s",
    ),
    _Known("mfu", "model FLOP utilisation", (("model FLOP utilisation", "mfu"),), from_zero=True),
    _Known("tokens_per_sec", "tokens", (("tokens", "tokens_per_sec"),), "tokens/s"),
    _Known("model_tflops_per_sec", "model FLOP", (("model FLOP", "model_tflops_per_sec"),), "TFLOP/s"),
)
_OF_GPUS_TOO = (_Known("gpu_clock", "GPU clock", (("", "sm_clock_mhz"),), "MHz", smooth=False),)
_OF_THE_HOST = (
    _Known("cpu", "CPU of the trainer", (("CPU of the trainer", "cpu_percent"),), "%", False, True),
    _Known(
        "rss", "host memory of the run", (("trainer", "rss_gib"), ("workers", "workers_rss_gib")), "GiB", False, True
    ),
    _Known("host_memory", "host memory in use", (("host memory in use", "host_memory_used_gib"),), "GiB", False, True),
)
_SUMS = {"compute_sec": "forward_sec"}
"""What is not drawn where a part of it is, which tells more."""
_NEVER = frozenset({"host_memory_total_gib", "memory_total_gib", "power_limit_w"})
"""What stays what it is tells nothing as a curve."""
_AWAITED = "comes with the first step"
_UNITS = (
    ("_tflops_per_sec", "TFLOP/s"),
    ("_per_sec", "/s"),
    ("_sec", "s"),
    ("_gib", "GiB"),
    ("_percent", "%"),
    ("_mhz", "MHz"),
    ("_w", "W"),
)


@dataclass(frozen=True)
class Picture:
    """One chart.

    Attributes:
        key: its lasting name, also in names of files.
        content: what it is of.
    """

    key: str
    content: Content


class Catalogue:
    """The charts of what is read of a run, put together anew only when there are other curves.

    Args:
        feed: the run.
        hardware: its machine.
    """

    def __init__(self, feed: Feed, hardware: HardwareFeed) -> None:
        self._feed, self._hardware = feed, hardware
        self._seen: tuple[object, ...] = ()
        self._counts: tuple[int, ...] = ()
        self._pictures: tuple[Picture, ...] = ()
        self._at_zero: list[Series] = []

    def pictures(self) -> tuple[Picture, ...]:
        """All charts; the same object as long as none has come or gone. Their curves grow by themselves."""
        feed, hardware = self._feed, self._hardware
        # A file that was replaced gives other objects, kept here so that no new one can be taken for them.
        seen = (feed.series, feed.axes, feed.marks, hardware.host, hardware.gpus)
        gpus = hardware.gpus
        inventory = (len(feed.series), len(feed.axes), len(hardware.host), *(len(gpu.series) for gpu in gpus))
        counts = (self._awaits_the_first_step(), *inventory)
        same = counts == self._counts and all(one is other for one, other in zip(seen, self._seen, strict=False))
        same = same and all(map(_is_zero, self._at_zero))
        if not same or not self._seen:
            self._seen, self._counts = seen, counts
            # A machine has many figures that are 0 for good; they would stand in the way of those that tell something.
            self._at_zero = [one for one in hardware.host.values() if _is_zero(one)]
            self._pictures = tuple(self._all())
        return self._pictures

    def _awaits_the_first_step(self) -> bool:
        """Whether there will be figures of training, which have their places from the beginning."""
        condition, series = self._feed.facts.condition, self._feed.series
        known = any(key in series for chart in _OF_TRAINING for _, key in chart.parts)
        return condition is not None and condition.alive and not known

    def _all(self) -> Iterator[Picture]:
        feed, gpus = self._feed, self._hardware.gpus
        host = {key: one for key, one in self._hardware.host.items() if not _is_zero(one)}
        used = {key for known in (*_OF_TRAINING, *_OF_TRAINING_TOO) for _, key in known.parts}
        if self._counts[0]:
            for chart in _OF_TRAINING:
                yield Picture(chart.key, Content(chart.title, {}, chart.unit, nothing=_AWAITED))
        else:
            yield from self._known(_OF_TRAINING, feed.series)
        yield from self._of_gpus(_OF_GPUS, gpus)
        yield from self._known(_OF_TRAINING_TOO, feed.series)
        for name, series in feed.series.items():
            if name not in used:
                title, unit = titled(name)
                yield Picture(name, self._content(title, {title: series}, unit))
        yield from self._of_gpus(_OF_GPUS_TOO, gpus)
        used = {key for known in _OF_THE_HOST for _, key in known.parts}
        since = self._since()
        yield from self._known(_OF_THE_HOST, host, since)
        for name, series in host.items():
            if name not in used and name not in _NEVER:
                title, unit = titled(name)
                yield Picture(f"host_{name}", self._content(title, {title: series}, unit, since))

    def _known(
        self, known: Sequence[_Known], among: Mapping[str, Series], since: float | None = None
    ) -> Iterator[Picture]:
        for chart in known:
            found = {name: among[key] for name, key in chart.parts if key in among and _SUMS.get(key) not in among}
            if found:
                yield Picture(chart.key, self._content(chart.title, found, chart.unit, since, chart))

    def _of_gpus(self, known: Sequence[_Known], gpus: Sequence[GpuCurves]) -> Iterator[Picture]:
        since = self._since()
        for chart in known:
            ((_, key),) = chart.parts
            found = [(place, gpu) for place, gpu in enumerate(gpus) if key in gpu.series][:CURVES]
            if len(found) == 1:
                named = {chart.title: found[0][1].series[key]}
            else:
                named = {str(place if gpu.index is None else gpu.index): gpu.series[key] for place, gpu in found}
            if named:
                yield Picture(chart.key, self._content(chart.title, named, chart.unit, since, chart))

    def _content(
        self,
        title: str,
        series: Mapping[str, Series],
        unit: str,
        since: float | None = None,
        known: _Known | None = None,
    ) -> Content:
        feed = self._feed
        from_zero = known is not None and known.from_zero
        if since is not None:
            return Content(title, series, unit, smooth=False, since=since, from_zero=from_zero)
        smooth = known is None or known.smooth
        axes = {Counted.EPOCH: "epoch", Counted.TIME: "elapsed_sec"}
        clocks = {counted: feed.axes[key] for counted, key in axes.items() if key in feed.axes}
        return Content(title, series, unit, feed.marks, feed.facts.max_steps, smooth, clocks, from_zero=from_zero)

    def _since(self) -> float:
        """When the first sample of the machine was taken, in seconds since 1970."""
        all_series = [
            *self._hardware.host.values(),
            *(one for gpu in self._hardware.gpus for one in gpu.series.values()),
        ]
        return min((series.x[0] for series in all_series if len(series)), default=0.0)


def _is_zero(series: Series) -> bool:
    """Whether no value of it is anything else."""
    return series.extent(0, len(series)) == (0.0, 0.0, 0)


def titled(key: str) -> tuple[str, str]:
    """A key of a file as a title, and the unit that its ending tells.

    >>> titled("eval_runtime_sec"), titled("supervised_tokens"), titled("train/acc")
    (('eval runtime', 's'), ('supervised tokens', ''), ('train/acc', ''))
    """
    for ending, unit in _UNITS:
        if key.endswith(ending) and len(key) > len(ending):
            return key.removesuffix(ending).replace("_", " "), unit
    return key.replace("_", " "), ""
