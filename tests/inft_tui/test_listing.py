from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.display.spans import width
from inft_tui.listing import CURVE_POINTS, Listing, Snapshot, losses, without_its_age
from inft_tui.run_rows import columns_for, heading, matches, row, sparkline
from inft_tui.sentry import Sentry
from tests.runs.pretend import new_run, start_sleeper, working, write_events, write_status

ENOUGH_S = 5.0


@pytest.fixture
def ended(config: Config) -> list[RunDirectory]:
    """Three runs that finished, the oldest first."""
    runs = [new_run(config, f"2025-03-0{day} 12:00:00") for day in (1, 2, 3)]
    for run in runs:
        write_events(run, {"event": "log", "global_step": 5, "loss": 1.5})
        write_status(run, Status("finished", step=5, max_steps=5, exit_code=0))
    return runs


def text_of(snapshot: Snapshot, total: int = 160) -> list[str]:
    """The listing as it is drawn."""
    columns = columns_for(total, snapshot.runs)
    return ["".join(text for text, _ in row(seen, columns, "braille", selected=False)) for seen in snapshot.runs]


def test_the_newest_first(ended: list[RunDirectory], project: Path) -> None:
    snapshot = Listing(project / "logs").read(ENOUGH_S)
    assert snapshot.done
    assert [seen.run for seen in snapshot.runs] == ended[::-1]
    assert all("finished" in line and "5/5" in line and "1.5" in line for line in text_of(snapshot))


def test_slices_look_at_one_run_at_least_and_at_the_newest_first(ended: list[RunDirectory], project: Path) -> None:
    listing = Listing(project / "logs")
    for looked in (1, 2, 3):
        snapshot = listing.read(0)
        assert [seen.looked for seen in snapshot.runs] == [True] * looked + [False] * (3 - looked)
        assert snapshot.done is (looked == 3)


def test_without_news_it_is_the_same_listing(ended: list[RunDirectory], project: Path) -> None:
    listing = Listing(project / "logs")
    first = listing.read(ENOUGH_S)
    assert listing.read(ENOUGH_S).runs is first.runs


def test_a_silent_run_is_the_same_listing_until_it_says_something(config: Config, project: Path) -> None:
    process, identity = start_sleeper()
    try:
        run = new_run(config, "2025-03-01 12:00:00")
        write_status(run, working(identity))
        listing = Listing(project / "logs")
        listing.read(ENOUGH_S)
        first = listing.read(ENOUGH_S)  # the second look knows that it goes on, and has all of its files in view
        assert listing.read(ENOUGH_S).runs is first.runs, "the age of its heartbeat is no news"
        run.hardware.write_text("{}\n", encoding="utf-8")
        sampled = listing.read(ENOUGH_S)
        assert sampled.runs is not first.runs, "something may be to warn of"
        write_status(run, replace(working(identity), step=41))
        assert listing.read(ENOUGH_S).runs is not sampled.runs
    finally:
        process.kill()
        process.wait()


def test_a_line_changes_its_colours_no_oftener_than_needed(ended: list[RunDirectory], project: Path) -> None:
    (seen, *_) = Listing(project / "logs").read(ENOUGH_S).runs
    line = row(seen, columns_for(160, [seen]), "braille", selected=False)
    assert width(line) == 160
    assert all(one != other for (_, one), (_, other) in pairwise(line)), "each change is 40 bytes"
    assert all(text.strip() for text, _ in line[1:]), "blanks need no colour of their own"


def test_a_stall_is_counted_in_minutes() -> None:
    stalled = [Condition("training", True, False, stalled_sec=age, heartbeat_age=age) for age in (601.5, 659.9, 660.0)]
    found = [without_its_age(condition) for condition in stalled]
    assert found[0] == found[1]
    assert [condition.stalled_sec for condition in found] == [600, 600, 660]


def test_it_sees_a_new_run_a_changed_one_and_one_that_is_gone(
    ended: list[RunDirectory], config: Config, project: Path
) -> None:
    listing = Listing(project / "logs")
    listing.read(ENOUGH_S)
    write_status(ended[0], Status("finished", step=7, max_steps=7, exit_code=0))
    assert "7/7" in text_of(listing.read(ENOUGH_S))[2]
    new_run(config, "2025-03-09 12:00:00")
    os.utime(project / "logs")
    assert len(listing.read(ENOUGH_S).runs) == 4
    for file in ended[1].path.iterdir():
        file.unlink()
    ended[1].path.rmdir()
    os.utime(project / "logs")
    assert ended[1] not in [seen.run for seen in listing.read(ENOUGH_S).runs]


def test_what_happened_is_told_once(config: Config, project: Path) -> None:
    process, identity = start_sleeper()
    try:
        run = new_run(config, "2025-03-01 12:00:00")
        write_status(run, working(identity))
        listing = Listing(project / "logs")
        before = listing.read(ENOUGH_S)
        sentry = Sentry()
        assert sentry.look(before) == []
        write_status(run, Status("finished", step=120, max_steps=120, exit_code=0))
        (news,) = sentry.look(listing.read(ENOUGH_S))
        assert (news.run, news.alert.kind) == (run, "finished")
        assert news.alert.message == f"{run.run_id} finished after step 120 of 120."
        assert sentry.look(listing.read(ENOUGH_S)) == []
    finally:
        process.kill()
        process.wait()


def test_a_damaged_run_is_a_line_like_others(ended: list[RunDirectory], project: Path) -> None:
    ended[1].run_json.write_text("{", encoding="utf-8")
    lines = text_of(Listing(project / "logs").read(ENOUGH_S))
    assert "damaged" in lines[1]
    assert "finished" in lines[0]


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert Listing(tmp_path / "none").read(ENOUGH_S) == Snapshot((), done=True)


def test_a_long_runs_curve_costs_as_much_as_a_short_ones(run: RunDirectory) -> None:
    with run.metrics.open("w", encoding="utf-8") as file:
        for step in range(100_000):
            file.write(json.dumps({"event": "log", "global_step": step, "loss": 1000 - step / 100}) + "\n")
    began = time.perf_counter()
    curve = losses(run.metrics)
    assert time.perf_counter() - began < 0.05
    assert len(curve) == CURVE_POINTS
    assert sorted(curve, reverse=True) == list(curve)
    assert curve[0] == 1000
    assert curve[-1] < 1


def test_what_is_no_loss_is_left_out_of_the_curve(run: RunDirectory) -> None:
    run.metrics.write_bytes(
        b'{"event":"log","loss":3}\n{"event":"log","loss":null,"nonfinite":["loss"]}\nhalf\xff\n{"event":"eval","loss":9}\n'
        b'{"event":"log","loss":2}\n{"event":"log","lo'
    )
    assert losses(run.metrics) == (3.0, 2.0)


@pytest.mark.parametrize("total", [160, 100, 80, 60, 40, 20, 5, 1])
def test_a_line_is_as_wide_as_the_screen(total: int, ended: list[RunDirectory], project: Path) -> None:
    snapshot = Listing(project / "logs").read(ENOUGH_S)
    columns = columns_for(total, snapshot.runs)
    assert width(heading(columns)) == total
    for selected in (False, True):
        assert {width(row(seen, columns, "ascii", selected=selected)) for seen in snapshot.runs} == {total}


def test_filter(ended: list[RunDirectory], project: Path) -> None:
    seen = Listing(project / "logs").read(ENOUGH_S).runs[0]
    assert matches(seen, [])
    assert matches(seen, ["small", "finished"])
    assert matches(seen, ["20250303"])
    assert not matches(seen, ["small", "failed"])


def test_a_sparkline_is_no_wider_than_its_place() -> None:
    assert len(sparkline([float(value) for value in range(100)], 10, "braille")) == 10
    assert sparkline([1.0, float("nan"), 2.0], 10, "ascii") == "_#"
