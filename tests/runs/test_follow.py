from __future__ import annotations

import time

import pytest

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.follow import follow, last_events
from inft.runs.inspect import Inspector
from inft.runs.jsonl import Line
from inft.runs.launch import start_supervisor
from tests.runs import stand_in
from tests.runs.pretend import write_events


def watch(run: RunDirectory, behaviour: str, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """Every line of a run of the stand-in."""
    monkeypatch.setenv("STAND_IN", behaviour)
    process = start_supervisor(run, module=stand_in.MODULE)
    inspector = Inspector(run)
    lines = [line for lines in follow(run, lambda: inspector.look().alive, poll_s=0.02) for line in lines]
    process.wait(20)
    return lines


@pytest.mark.parametrize("behaviour", ["finish", "fail", "kill", "segv", "nan"])
def test_every_event_comes_once_and_in_order(
    run: RunDirectory, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = watch(run, behaviour, monkeypatch)
    assert "".join(line.text + "\n" for line in lines) == run.metrics.read_text(encoding="utf-8")
    assert lines


@pytest.mark.parametrize("behaviour", ["crash", "silent", "library"])
def test_a_run_without_events_ends_too(run: RunDirectory, behaviour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch(run, behaviour, monkeypatch) == []


def test_waiting_does_not_cost_a_core(run: RunDirectory) -> None:
    inspector = Inspector(run)
    end, before = time.monotonic() + 1.0, time.process_time()
    looks = sum(1 for _ in follow(run, lambda: inspector.look().alive and time.monotonic() < end))
    assert 2 <= looks <= 12
    assert time.process_time() - before < 0.2


def test_what_was_written_right_before_the_end_is_read(run: RunDirectory) -> None:
    # alive() itself writes: after it says that the process is gone, the line must still come.
    def alive() -> bool:
        run.metrics.write_text('{"event":"train_end"}\n')
        return False

    assert [line.text for lines in follow(run, alive) for line in lines] == ['{"event":"train_end"}']


class TestLastEvents:
    def test_the_newest_log_line_is_among_them_behind_many_captions(self, run: RunDirectory) -> None:
        write_events(run, *(events.log(global_step=step, loss=1.0) for step in range(100)))
        caption = events.sample(language="en", reference_caption="a", generated_caption="b")
        write_events(run, *[caption] * 1000)
        found = last_events(run)
        assert [event["global_step"] for event in found if event["event"] == "log"][-1] == 99
        assert found[-1]["event"] == "sample"

    def test_few_are_read_where_few_are_enough(self, run: RunDirectory) -> None:
        write_events(run, *(events.log(global_step=step, loss=1.0) for step in range(1000)))
        assert [event["global_step"] for event in last_events(run)] == list(range(960, 1000))

    def test_none_where_there_are_none(self, run: RunDirectory) -> None:
        assert last_events(run) == []
        run.metrics.unlink()
        assert last_events(run) == []
        run.metrics.mkdir()
        assert last_events(run) == []
