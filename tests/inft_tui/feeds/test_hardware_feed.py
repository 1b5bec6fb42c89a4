from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from inft.runs.jsonl import Record
from inft_tui.feeds.hardware_feed import HardwareFeed

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC).timestamp()


def sample(second: int, *gpus: Record, **figures: object) -> Record:
    return {"ts": f"2025-03-01T12:00:{second:02}.000Z", "event": "hardware", **figures, "gpus": list(gpus)}


def gpu(uuid: str | None, index: int | None, percent: float | None) -> Record:
    return {"index": index, "uuid": uuid, "name": "H200", "utilization_percent": percent, "temperature_c": 40}


def write(path: Path, *records: Record) -> None:
    with path.open("ab") as file:
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")


def test_host_and_every_gpu_are_curves_over_time(tmp_path: Path) -> None:
    path = tmp_path / "hardware.jsonl"
    write(path, sample(0, gpu("a", 0, 10.0), gpu("b", 1, 20.0), rss_gib=1.5, workers=None))
    write(path, sample(5, gpu("b", 1, 30.0), gpu("a", 0, None), rss_gib=2, workers=3))
    feed = HardwareFeed(path)
    progress = feed.read(1.0)
    assert progress.done
    assert {"rss_gib", "workers", "gpu0.utilization_percent", "gpu1.temperature_c"} <= progress.changed
    assert list(feed.host["rss_gib"].x) == [NOON, NOON + 5]
    assert list(feed.host["rss_gib"].y) == [1.5, 2]
    assert list(feed.host["workers"].x) == [NOON + 5]
    assert [(each.uuid, each.index, each.name) for each in feed.gpus] == [("a", 0, "H200"), ("b", 1, "H200")]
    assert list(feed.gpus[0].series["utilization_percent"].y) == [10.0]
    assert list(feed.gpus[1].series["utilization_percent"].y) == [20.0, 30.0]
    assert "index" not in feed.gpus[0].series
    assert feed.newest is not None
    assert feed.newest["workers"] == 3


def test_it_goes_on_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "hardware.jsonl"
    feed = HardwareFeed(path)
    assert feed.read(1.0).done
    write(path, sample(0, rss_gib=1.0))
    assert feed.read(1.0).changed == {"rss_gib"}
    write(path, sample(5, rss_gib=2.0))
    feed.read(1.0)
    assert list(feed.host["rss_gib"].y) == [1.0, 2.0]
    path.unlink()
    write(path, sample(9, rss_gib=3.0))
    assert feed.read(1.0).restarted
    assert list(feed.host["rss_gib"].y) == [3.0]


def test_a_clock_that_was_set_back_does_not_turn_time_around(tmp_path: Path) -> None:
    path = tmp_path / "hardware.jsonl"
    write(path, sample(30, rss_gib=1.0), sample(10, rss_gib=2.0), sample(40, rss_gib=3.0))
    feed = HardwareFeed(path)
    feed.read(1.0)
    assert list(feed.host["rss_gib"].x) == [NOON + 30, NOON + 30, NOON + 40]


def test_garbage_costs_its_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "hardware.jsonl"
    path.write_bytes(
        b'\x00\xff\n{"ts": "soon", "rss_gib": 9}\n{"rss_gib": 9}\n{"ts": 3, "gpus": 4}\n'
        b'{"ts":"2025-03-01T12:00:00Z","rss_gib":1,"flag":true,"big":1' + b"0" * 400 + b',"gpus":[3,{"power_w":5}]}\n'
    )
    feed = HardwareFeed(path)
    feed.read(1.0)
    assert list(feed.host["rss_gib"].y) == [1]
    assert "flag" not in feed.host
    assert [(each.uuid, list(each.series["power_w"].y)) for each in feed.gpus] == [("1", [5])]


def test_slices(tmp_path: Path) -> None:
    path = tmp_path / "hardware.jsonl"
    write(path, *(sample(second % 60, gpu("a", 0, 1.0), note="x" * 300) for second in range(2000)))
    feed = HardwareFeed(path)
    slices = 1
    while not feed.read(0.0).done:
        slices += 1
    assert slices > 5
    assert len(feed.gpus[0].series["temperature_c"]) == 2000


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    feed = HardwareFeed(tmp_path)
    assert feed.read(1.0).done
    assert "Could not read" in feed.problem
