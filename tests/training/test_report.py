"""How a run tells of itself: heartbeats on progress only, an end that stays the end, a log that fills up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inft.errors import ConfigError, DiskError
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.trainer import run_to_end
from inft.training import report as report_module
from inft.training.report import RunReport
from tests.training.runs import Home, events_of, status_of


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    folder = tmp_path / "a-run"
    folder.mkdir()
    return RunDirectory(folder)


def test_a_beat_writes_the_status_once_a_second_at_most(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(report_module.time, "monotonic", lambda: now)
    report = RunReport(run)
    first = status_of(run).uptime
    report.beat()
    now += 0.9
    report.progress(5, 10)
    assert status_of(run).uptime == first
    now += 0.2
    report.beat()
    status = status_of(run)
    assert first is not None
    assert status.uptime is not None
    assert status.uptime > first
    assert status.step == 5


def test_a_stage_tells_its_start_and_end_however_short_it_was(run: RunDirectory) -> None:
    report = RunReport(run)
    for _ in range(2):
        with report.saving():
            report.stage("saving", 0.5, 1, "folders")  # too soon after the last line to be worth one
    assert [event["done"] for event in events_of(run, "stage")] == [0, 1, 0, 1]


def test_nothing_is_said_after_the_end(run: RunDirectory) -> None:
    report = RunReport(run)
    report.event(events.train_end(state="finished", global_step=3))
    report.finished()
    report.event(events.alert(level="info", kind="stop", message="Asked to stop.", fix=""))
    assert [event["event"] for event in events_of(run)] == ["train_end"]


def test_the_status_is_a_failed_runs_last_word(home: Home) -> None:
    run = home.create("demo_llama")
    run.config_toml.write_text("not TOML")
    told: list[tuple[object, bool]] = []
    assert run_to_end(run, [lambda event: told.append((event["event"], status_of(run).is_final))]) == 2
    assert told == [("alert", False), ("train_end", False)]
    assert status_of(run).state == "failed"


def test_nothing_follows_the_end_of_an_aborted_run(run: RunDirectory) -> None:
    report = RunReport(run)
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            report.state("training")
            report.event(events.stage(name="x", done=0, total=None, unit="y"))
            time.sleep(0.001)

    worker = threading.Thread(target=work)
    worker.start()
    report.aborted("Aborted.", "")
    after = run.metrics.read_bytes()
    report.finished()
    time.sleep(0.2)
    assert worker.is_alive()
    ended.set()
    worker.join()
    assert run.metrics.read_bytes() == after
    assert events_of(run)[-1]["event"] == "train_end"
    status = status_of(run)
    assert status.cause is not None
    assert (status.state, status.exit_code, status.cause.kind) == ("stopped", 130, "aborted")


def test_an_abort_does_not_overwrite_another_end(run: RunDirectory) -> None:
    report = RunReport(run)
    report.finished()
    report.aborted("Aborted.", "")
    assert status_of(run).state == "finished"


def test_an_abort_waits_for_no_hanging_disk(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "ABORT_PATIENCE_S", 0.1)
    report = RunReport(run)
    inside, over = threading.Event(), threading.Event()

    def hang(record: Any) -> None:
        inside.set()
        over.wait(10)

    report._listeners = (hang,)
    worker = threading.Thread(target=report.event, args=(events.stage(name="x", done=0, total=None, unit="y"),))
    worker.start()
    inside.wait(10)
    report.aborted("Aborted.", "")
    assert status_of(run).state == "starting"
    over.set()
    worker.join()


def test_a_full_log_is_outlived_and_then_told(run: RunDirectory) -> None:
    run.metrics.symlink_to("/dev/full")
    report = RunReport(run)
    record = events.stage(name="x", done=0, total=None, unit="y")
    with report.outliving_the_log():
        report.event(record)
        report.state("training")
        assert status_of(run).state == "starting", "what room there is, is left for the end"
    assert report.disk_problem is not None
    with pytest.raises(DiskError):
        report.event(record)
    assert run.reserve.stat().st_size == 64 << 10
    report.failed(report.disk_problem)
    assert not run.reserve.exists()
    assert status_of(run).state == "failed"


def test_only_an_unexplained_failure_has_a_tail(run: RunDirectory) -> None:
    RunReport(run).failed(ConfigError("a", "b"), ["one", "two"])
    cause = status_of(run).cause
    assert cause is not None
    assert cause.tail == ("one", "two")


@pytest.mark.slow
def test_every_kind_of_work_beats(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: Counter[str] = Counter()
    beat = RunReport.beat

    def counted(self: RunReport) -> None:
        assert threading.current_thread() is threading.main_thread()
        beats[self._status.state] += 1
        beat(self)

    monkeypatch.setattr(RunReport, "beat", counted)
    run = home.create(
        "demo_llama",
        "basic.sample_rows=4",
        "basic.eval_captions=2",
        "basic.gen_max_new_tokens=4",
        "sft.gradient_accumulation_steps=3",
        "data.eval_split=test",
        "sft.eval_steps=3",
        "sft.save_steps=3",
        "sft.inference_batch_size=2",
    )
    assert run_to_end(run) == 0
    batches, languages, captions = 2 * 5, 2, 2 * 2
    read_and_counted = 1 + languages
    generated_and_written = captions / 2 + captions
    assert beats["evaluating"] == batches + read_and_counted + generated_and_written
    assert beats["training"] >= 3 * 3 + 3 + 4  # micro-batches, steps, samples
    assert beats["saving"] >= 2
    assert beats["loading"] >= 2
