from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft_tui.charts.chart import Chart
from inft_tui.charts.glyphs import Glyphs
from inft_tui.charts.view import Counted
from inft_tui.feeds.facts import RunFacts
from inft_tui.feeds.hardware_feed import HardwareFeed
from inft_tui.feeds.run_feed import RunFeed
from inft_tui.monitor.catalogue import Catalogue

STEP = {
    "event": "log", "own_metric": 7.0, "data_sec": 0.1, "step_time_sec": 1.0, "peak_vram_gib": 3.0, "grad_norm": 1.0,
    "samples_per_sec": 4.0, "tokens_per_sec": 90.0, "learning_rate": 1e-4, "loss": 2.0,
    "epoch": 0.1, "elapsed_sec": 1.0,
}  # fmt: skip
GPU = {"utilization_percent": 90, "memory_used_gib": 60, "memory_total_gib": 80, "temperature_c": 50, "power_w": 300}


def write(path: Path, *records: object) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(record) + "\n" for record in records))


def catalogue_of(folder: Path) -> tuple[Catalogue, RunFeed, HardwareFeed]:
    feed, hardware = RunFeed(RunDirectory(folder)), HardwareFeed(folder / "hardware.jsonl")
    return Catalogue(feed, hardware), feed, hardware


def test_what_people_look_at_comes_first_and_nothing_is_left_out(tmp_path: Path) -> None:
    catalogue, feed, hardware = catalogue_of(tmp_path)
    assert catalogue.pictures() == ()
    write(tmp_path / "metrics.jsonl", {"event": "train_begin", "max_steps": 50})
    write(tmp_path / "metrics.jsonl", *({**STEP, "global_step": step} for step in (1, 2)))
    write(tmp_path / "metrics.jsonl", {"event": "eval", "global_step": 2, "eval_loss": 1.5, "eval_bleu": 3})
    sample = {"ts": "2025-03-01T12:00:00Z", "rss_gib": 3, "host_memory_total_gib": 9, "gpus": [{"index": 0, **GPU}]}
    write(tmp_path / "hardware.jsonl", sample)
    feed.read(9)
    hardware.read(9)
    pictures = catalogue.pictures()
    assert [picture.key for picture in pictures] == [
        "loss", "learning_rate", "grad_norm", "samples_per_sec", "peak_vram_gib",
        "gpu_memory", "gpu_utilisation", "gpu_temperature", "gpu_power", "step_time", "tokens_per_sec",
        "own_metric", "eval_bleu", "rss",
    ]  # fmt: skip
    by_key = {picture.key: picture.content for picture in pictures}
    assert list(by_key["loss"].series) == ["loss", "eval"]
    assert list(by_key["step_time"].series) == ["step", "data"]
    assert by_key["samples_per_sec"].unit == "samples/s"
    write(tmp_path / "metrics.jsonl", {**STEP, "global_step": 3, "compute_sec": 0.9})
    feed.read(9)
    assert list(_step_time(catalogue)) == ["step", "data", "compute"]
    write(tmp_path / "metrics.jsonl", {**STEP, "global_step": 4, "compute_sec": 0.9, "forward_sec": 0.3, "mfu": 0.4})
    feed.read(9)
    assert list(_step_time(catalogue)) == ["step", "data", "forward"]
    assert "mfu" in [picture.key for picture in catalogue.pictures()]
    assert (by_key["loss"].end, by_key["gpu_power"].end) == (50, None)
    assert set(by_key["loss"].clocks) == {Counted.EPOCH, Counted.TIME}
    assert by_key["gpu_power"].since == 1740830400


def _step_time(catalogue: Catalogue) -> Iterable[str]:
    (content,) = (picture.content for picture in catalogue.pictures() if picture.key == "step_time")
    return content.series


def test_it_is_put_together_anew_only_for_other_curves(tmp_path: Path) -> None:
    catalogue, feed, hardware = catalogue_of(tmp_path)
    metrics = tmp_path / "metrics.jsonl"
    write(metrics, {"event": "log", "global_step": 1, "loss": 2})
    feed.read(9)
    first = catalogue.pictures()
    write(metrics, {"event": "log", "global_step": 2, "loss": 2})
    feed.read(9)
    assert catalogue.pictures() is first
    write(metrics, {"event": "log", "global_step": 3, "loss": 2, "more": 1})
    feed.read(9)
    assert [picture.key for picture in catalogue.pictures()] == ["loss", "more"]
    metrics.write_bytes(b'{"event": "log", "global_step": 1, "loss": 9}\n')
    feed.read(9)
    (again,) = catalogue.pictures()
    assert list(again.content.series["loss"].y) == [9]
    assert hardware.problem == ""


def test_several_gpus_are_told_apart(tmp_path: Path) -> None:
    catalogue, _, hardware = catalogue_of(tmp_path)
    gpus = [{"uuid": f"GPU-{number}", "index": number, **GPU} for number in (0, 3)]
    write(tmp_path / "hardware.jsonl", {"ts": "2025-03-01T12:00:00Z", "gpus": gpus})
    hardware.read(9)
    memory = catalogue.pictures()[0]
    assert (memory.key, list(memory.content.series)) == ("gpu_memory", ["0", "3"])


def test_before_the_first_step_the_main_charts_have_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, feed, hardware = catalogue_of(tmp_path)
    loading = RunFacts("aya-1", "loading", Condition("loading", alive=True, supervised=True), max_steps=50)
    monkeypatch.setattr(RunFeed, "facts", property(lambda _: loading))
    host = {"ts": "2025-03-01T12:00:00Z", "workers": 0, "swap_used_gib": 0.0, "gpus": [{"index": 0, **GPU}]}
    write(tmp_path / "hardware.jsonl", host)
    write(tmp_path / "metrics.jsonl", {"event": "train_begin", "max_steps": 50})
    feed.read(9)
    hardware.read(9)
    before = catalogue.pictures()
    main = ["loss", "learning_rate", "grad_norm", "samples_per_sec", "peak_vram_gib"]
    assert [picture.key for picture in before] == [
        *main, "gpu_memory", "gpu_utilisation", "gpu_temperature", "gpu_power",
    ]  # fmt: skip
    assert before[0].content.nothing == "comes with the first step"
    write(tmp_path / "metrics.jsonl", {**STEP, "global_step": 1})
    feed.read(9)
    after = catalogue.pictures()
    assert [picture.key for picture in after][:9] == [picture.key for picture in before]
    assert after[0].content.series
    assert "host_workers" not in [picture.key for picture in after]
    write(tmp_path / "hardware.jsonl", {**host, "workers": 2})
    hardware.read(9)
    assert [picture.key for picture in catalogue.pictures()][-1] == "host_workers"


def test_a_memory_that_hardly_changes_is_an_even_line(tmp_path: Path) -> None:
    catalogue, _, hardware = catalogue_of(tmp_path)
    samples = ({"gpus": [{"index": 0, **GPU, "memory_used_gib": 61 + n % 3 / 100}]} for n in range(60))
    write(tmp_path / "hardware.jsonl", *({"ts": f"2025-03-01T12:00:{n:02}Z", **one} for n, one in enumerate(samples)))
    hardware.read(9)
    chart = Chart(Glyphs.BRAILLE)
    chart.resize(60, 12)
    chart.show(catalogue.pictures()[0].content)
    assert chart.viewport is not None
    assert chart.viewport.y0 == 0
    assert 62 <= chart.viewport.y1 <= 80
