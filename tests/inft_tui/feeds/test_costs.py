"""What the benchmark measures, in a small size and with bounds that a busy machine keeps."""

from __future__ import annotations

from pathlib import Path

from benchmarks.feeds import follow_run, list_runs, load_run, write_run
from benchmarks.runs_listing import STATUSES, fill


def test_a_long_run_is_read_soon_and_in_slices(tmp_path: Path) -> None:
    """A fifth of the benchmark's size; its target is 1.0 s for all of it, and 8 ms a slice."""
    write_run(tmp_path / "run", steps=20_000)
    figures = load_run(tmp_path / "run", budget_s=0.008)
    assert figures["points"] == 20_000 * 10
    assert figures["cpu_s"] < 1.0
    assert figures["median_slice_ms"] < 40


def test_following_a_run_costs_little(tmp_path: Path) -> None:
    assert follow_run(tmp_path / "run", seconds=1.0)["cpu_ms_per_s"] < 30


def test_fifty_runs_are_listed_soon(project: Path) -> None:
    """The targets are 150 ms at first and 5 ms when nothing has changed."""
    fill(STATUSES["finished"])
    figures = list_runs(project / "logs")
    assert figures["runs"] == 50
    assert figures["first_ms"] < 900
    assert figures["unchanged_ms"] < 25
