"""What the benchmark measures, over a few megabytes and with bounds that a busy machine keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.feeds import filter_log, find_error, follow_log, open_log, write_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "console.log"
    write_log(path, 100_000)
    return path


def test_a_log_opens_at_once_and_takes_no_memory(log: Path, tmp_path: Path) -> None:
    figures = open_log(log)
    assert (figures["rows"], figures["lines"]) == (45, 100_002)
    assert figures["last_screen_ms"] < 100
    assert figures["jump_ms"] < 100
    large = tmp_path / "large.log"
    with large.open("wb") as file:
        file.truncate(200 << 20)
        file.seek(0, 2)
        file.write(b"the end\n" * 100)
    figures = open_log(large)
    assert figures["last_screen_ms"] < 100
    assert figures["added_mb"] < 10


@pytest.mark.parametrize(
    ("typed", "regex", "count"),
    [("batch 0005", False, 10_000), ("only needle", False, 1), (r"batch 0+5\d\d", True, 10_000)],
)
def test_a_filter_fills_the_screen_soon(log: Path, typed: str, regex: bool, count: int) -> None:
    figures = filter_log(log, typed, regex=regex)
    assert figures["found"] == count
    assert figures["first_screen_ms"] < 200
    assert figures["all_s"] < 2


def test_the_previous_error_is_found_soon(log: Path) -> None:
    assert find_error(log)["found_s"] < 2


def test_following_costs_little(tmp_path: Path) -> None:
    assert follow_log(tmp_path / "growing.log", seconds=1.0)["cpu_ms_per_s"] < 50
