from __future__ import annotations

import os
import random
import time
from pathlib import Path

import msgspec
import pytest

from inft.config import Config
from inft.machine.processes import this_process
from inft.runs import events
from inft.runs.directory import Origin, RunDirectory
from inft.runs.jsonl import Record
from inft.runs.status import Cause, Pids, Status
from inft_tui.feeds.facts import AlertLine, Sample
from inft_tui.feeds.fetching import Progress
from inft_tui.feeds.run_feed import RunFeed
from tests.runs.pretend import dead_process, new_run, save_checkpoint, working, write_events, write_status

FOREVER = 1e9


def alive(step: int = 40) -> Status:
    """Of a run that trains; the test itself plays its supervisor."""
    return Status("training", Pids(this_process()), step=step, max_steps=120)


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def read_all(feed: RunFeed) -> Progress:
    progress = feed.read(FOREVER)
    assert progress.done
    return progress


def log(step: int, loss: float | None = 1.0, **figures: object) -> Record:
    return events.log(global_step=step, loss=loss, elapsed_sec=step * 2.0, samples_per_sec=8.0, **figures)


def begin(step: int = 0, max_steps: int = 120, **extra: object) -> Record:
    return events.train_begin(
        max_steps=max_steps,
        num_train_epochs=1,
        trainable_parameters=1,
        total_parameters=2,
        global_step=step,
        **extra,
    )


def losses(feed: RunFeed) -> dict[float, float]:
    series = feed.series["loss"]
    return dict(zip(series.x, series.y, strict=True))


class TestDamage:
    def test_lines_that_cannot_be_read_are_counted_and_said(self, run: RunDirectory) -> None:
        write_status(run, alive())
        write_events(run, log(1))
        with run.metrics.open("ab") as file:
            file.write(b"rubbish\n" * 3)
        feed = RunFeed(run)
        read_all(feed)
        assert (feed.facts.bad_lines, feed.facts.problem) == (3, "3 lines of metrics.jsonl could not be read.")
        with run.metrics.open("ab") as file:
            file.write(b"{\n")
        read_all(feed)
        assert feed.facts.problem == "4 lines of metrics.jsonl could not be read."

    def test_why_it_ended_goes_before_lost_lines(self, run: RunDirectory) -> None:
        saved = save_checkpoint(run, 40)
        fix = "`inft-tui resume x` goes on from its last complete checkpoint, /p/checkpoint-40."
        write_status(run, Status("stopped", step=40, exit_code=130, cause=Cause("stopped", "Stopped.", fix)))
        run.metrics.write_bytes(b"rubbish\n")
        feed = RunFeed(run)
        read_all(feed)
        assert (feed.facts.bad_lines, feed.facts.problem) == (1, "")
        assert feed.facts.cause is not None
        assert str(saved.path) in feed.facts.cause.fix, "where its checkpoint is now"

    def test_a_status_that_is_damaged_while_it_is_shown(self, run: RunDirectory) -> None:
        write_status(run, Status("training", Pids(dead_process()), step=40, max_steps=120))
        run.status_json.write_bytes(b"{")
        write_events(run, events.train_end(state="finished", global_step=120))
        clock = Clock()
        feed = RunFeed(run, clock=clock)
        read_all(feed)
        assert (feed.facts.state, feed.facts.cause) == ("finished", None)
        assert "status.json is damaged or gone" in feed.facts.problem
        write_status(run, alive())
        clock.now += 2
        read_all(feed)
        assert (feed.facts.state, feed.facts.problem) == ("training", "")
        run.status_json.write_bytes(b"{")
        clock.now += 2
        read_all(feed)
        assert "cannot be read any more" in feed.facts.problem


class TestFacts:
    def test_a_run_that_trains(self, run: RunDirectory) -> None:
        write_status(run, alive(step=42))
        write_events(
            run,
            begin(),
            *(log(step) for step in range(1, 41)),
            events.alert(level="warning", kind="rows", message="3 rows \x1b[2J skipped.", fix="Look."),
            events.sample(language="si", reference_caption="ref", generated_caption="gen", global_step=40),
        )
        feed = RunFeed(run)
        assert read_all(feed).changed == {"loss", "samples_per_sec"}
        facts = feed.facts
        assert (facts.state, facts.step, facts.max_steps, facts.first_step) == ("training", 42, 120, 0)
        assert facts.eta_s == pytest.approx((120 - 42) * 2.0)
        assert (facts.samples_per_sec, facts.loss, facts.problem) == (8.0, "1", "")
        assert [(alert.level, alert.message) for alert in facts.alerts] == [("warning", "3 rows \\x1b[2J skipped.")]
        assert facts.samples == (Sample(40, "si", "ref", "gen", ""),)
        assert facts.lines[-3].startswith("step 40 of 120, loss 1")
        assert facts.started

    def test_nothing_new_changes_nothing(self, run: RunDirectory) -> None:
        clock = Clock()
        write_status(run, alive())
        write_events(run, begin(), log(1))
        feed = RunFeed(run, clock=clock)
        read_all(feed)
        facts = feed.facts
        clock.now += 10
        time.sleep(0.01)  # so that the heartbeat is older
        assert read_all(feed) == Progress(True)
        assert feed.facts is facts

    def test_processes_are_looked_at_once_a_second(self, run: RunDirectory) -> None:
        clock = Clock()
        feed = RunFeed(run, clock=clock)
        read_all(feed)
        assert feed.facts.state == "queued"
        write_status(run, Status("finished", step=5, max_steps=5, exit_code=0))
        clock.now += 0.5
        read_all(feed)
        assert feed.facts.state == "queued"
        clock.now += 0.6
        read_all(feed)
        assert (feed.facts.state, feed.facts.step) == ("finished", 5)

    def test_a_run_that_died_says_how_to_go_on(self, run: RunDirectory) -> None:
        save_checkpoint(run, 40)
        write_status(run, working(dead_process()))
        feed = RunFeed(run)
        read_all(feed)
        facts = feed.facts
        assert (facts.state, facts.eta_s) == ("failed", None)
        assert facts.cause is not None
        assert f"inft-tui resume {run.run_id}" in facts.cause.fix

    def test_what_cannot_be_read_is_a_sentence(self, tmp_path: Path, run: RunDirectory) -> None:
        feed = RunFeed(RunDirectory(tmp_path / "nothing"))
        read_all(feed)
        assert feed.facts.state == "damaged"
        assert "is no run's folder" in feed.facts.problem
        assert feed.series == {}
        run.run_json.write_bytes(b'{"schema_version": 1, "run')
        write_events(run, log(1))
        feed = RunFeed(run)
        read_all(feed)
        assert "is damaged" in feed.facts.problem
        assert losses(feed) == {1: 1}

    def test_metrics_that_are_a_folder_are_a_sentence(self, run: RunDirectory) -> None:
        run.metrics.unlink()
        run.metrics.mkdir()
        feed = RunFeed(run)
        assert read_all(feed).done
        assert "Could not read" in feed.facts.problem

    def test_an_alert_keeps_all_its_parts(self, run: RunDirectory) -> None:
        write_events(run, {**events.alert(level="error", kind="k", message="m", fix="f"), "ts": "T"})
        feed = RunFeed(run)
        read_all(feed)
        assert feed.facts.alerts == (AlertLine("T", "error", "k", "m", "f"),)


class TestReading:
    def test_what_is_fetched_is_not_shown_before_it_is_taken(self, run: RunDirectory) -> None:
        write_events(run, begin(), log(1))
        feed = RunFeed(run)
        facts = feed.facts
        first = feed.fetch(1.0)
        write_events(run, log(2))
        second = feed.fetch(1.0)
        os.truncate(run.metrics, 0)
        third = feed.fetch(1.0)
        assert (feed.series, feed.facts) == ({}, facts)
        feed.take(first)
        assert losses(feed) == {1: 1}
        feed.take(second)
        assert (losses(feed), feed.facts.state) == ({1: 1, 2: 1}, "queued")
        assert feed.take(third).restarted
        assert feed.series == {}

    def test_a_slice_is_bounded_whatever_its_budget(self, run: RunDirectory) -> None:
        write_events(run, *(log(step, note="x" * 1000) for step in range(3000)))
        feed = RunFeed(run)
        piece = feed.fetch(FOREVER)
        assert not piece.fetched.done
        assert len(piece.fetched.records) < 1500

    def test_it_goes_on_where_it_ended(self, run: RunDirectory) -> None:
        write_events(run, *(log(step, note="x" * 200) for step in range(1, 3001)))
        feed = RunFeed(run)
        left = []
        while not (progress := feed.read(0.0)).done:
            left.append(progress.bytes_left)
        assert len(left) >= 5
        assert left == sorted(left, reverse=True)
        assert len(feed.series["loss"]) == 3000

    def test_written_byte_by_byte_it_comes_to_the_same(self, run: RunDirectory) -> None:
        content = b"".join(
            msgspec.json.encode(event) + b"\n"
            for event in (begin(), log(1), log(2, None, nonfinite=["loss"]), events.eval(global_step=2, eval_loss=0.5))
        )
        content += b'{"event": "log", "global_step": 3, "loss": NaN}\nnot json\n\x00\xff\n{"event": "log", "glob'
        feed = RunFeed(run)
        with run.metrics.open("ab", buffering=0) as file:
            for byte in content:
                file.write(bytes([byte]))
                read_all(feed)
        whole = RunFeed(run)
        read_all(whole)
        assert repr(losses(feed)) == repr(losses(whole)) == "{1.0: 1.0, 2.0: nan, 3.0: nan}"
        assert feed.marks == whole.marks
        assert feed.facts.lines == whole.facts.lines

    @pytest.mark.parametrize("way", ["cut", "replaced", "emptied"])
    def test_a_file_that_is_another_begins_anew(self, run: RunDirectory, way: str) -> None:
        write_events(run, log(1), log(2), log(3))
        feed = RunFeed(run)
        read_all(feed)
        line = msgspec.json.encode(log(7, 7.0)) + b"\n"
        if way == "replaced":
            run.metrics.with_name("next").write_bytes(line)
            run.metrics.with_name("next").replace(run.metrics)
        else:
            os.truncate(run.metrics, 0)
            if way == "cut":
                run.metrics.write_bytes(line)
        assert read_all(feed).restarted
        expected = {} if way == "emptied" else {"loss": [7.0], "samples_per_sec": [8.0]}
        assert {name: list(series.y) for name, series in feed.series.items()} == expected

    def test_garbage_costs_its_lines_only(self, run: RunDirectory) -> None:
        for seed in range(20):
            luck = random.Random(seed)
            pieces = [msgspec.json.encode(log(step)) for step in range(1, 30)]
            for _ in range(30):
                pieces.insert(luck.randrange(len(pieces)), luck.randbytes(luck.randrange(60)).replace(b"\n", b""))
            run.metrics.write_bytes(b"\n".join(pieces) + b"\n")
            feed = RunFeed(run)
            read_all(feed)
            assert losses(feed) == dict.fromkeys(range(1, 30), 1.0)


class TestLineage:
    def test_runs_that_continue_one_another_are_one_curve(self, config: Config) -> None:
        first = new_run(config, "2025-03-01 12:00:00")
        second = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, Path("checkpoint-3")))
        third = new_run(config, "2025-03-01 14:00:00", origin=Origin(second.run_id, Path("checkpoint-5")))
        write_events(first, begin(), *(log(step, 1.0) for step in range(1, 6)))
        write_events(second, begin(3, resumed_from=first.run_id), *(log(step, 2.0) for step in (4, 5, 6)))
        write_events(third, begin(5, resumed_from=second.run_id), log(6, 3.0))
        feed = RunFeed(third, lineage=True)
        read_all(feed)
        assert losses(feed) == {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}
        assert [(mark.kind, mark.x) for mark in feed.marks] == [("seam", 3), ("seam", 5)]
        assert feed.facts.first_step == 5
        write_events(third, log(7, 4.0))
        assert "loss" in read_all(feed).changed
        assert losses(feed)[7] == 4.0

    def test_the_pace_is_the_present_run_s_own(self, config: Config) -> None:
        first = new_run(config, "2025-03-01 12:00:00")
        second = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, Path("checkpoint-3")))
        write_events(first, begin(), *(log(step) for step in (1, 2, 3)))
        write_events(second, begin(3), *(log(step, step_time_sec=0.5) for step in (4,)))
        write_status(second, alive(step=4))
        feed = RunFeed(second, lineage=True)
        read_all(feed)
        assert feed.facts.eta_s == pytest.approx((120 - 4) * 0.5)

    def test_by_itself_it_begins_where_it_was_resumed(self, config: Config) -> None:
        first = new_run(config, "2025-03-01 12:00:00")
        second = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, Path("checkpoint-3")))
        write_events(first, begin(), log(1))
        write_events(second, begin(3, resumed_from=first.run_id), log(4))
        feed = RunFeed(second)
        read_all(feed)
        assert losses(feed) == {4: 1}
        assert [(mark.kind, mark.x) for mark in feed.marks] == [("resume", 3)]

    def test_a_lost_ancestor_is_left_out(self, config: Config) -> None:
        first = new_run(config, "2025-03-01 12:00:00")
        second = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, Path("checkpoint-3")))
        write_events(second, begin(3), log(4))
        first.run_json.unlink()
        first.metrics.unlink()
        feed = RunFeed(second, lineage=True)
        read_all(feed)
        assert losses(feed) == {4: 1}
