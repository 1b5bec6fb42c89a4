from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from inft.runs.directory import RunDirectory
from inft.runs.follow import follow, outcome
from inft.runs.jsonl import Line
from inft.runs.launch import start_trainer
from inft.runs.status import Status, StatusFile, is_alive, read_status
from tests.runs import stand_in


def start(run: RunDirectory, behaviour: str, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[bytes]:
    monkeypatch.setenv("STAND_IN", behaviour)
    return start_trainer(run, stand_in.MODULE)


def watch(run: RunDirectory, process: subprocess.Popen[bytes]) -> list[Line]:
    return [line for lines in follow(run, lambda: process.poll() is None, poll_s=0.02) for line in lines]


def test_every_event_comes_once_and_in_order(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(run, "finish", monkeypatch)
    lines = watch(run, process)
    assert "".join(line.text + "\n" for line in lines) == run.metrics.read_text(encoding="utf-8")
    assert [line.record["global_step"] for line in lines if line.record["event"] == "log"] == [1, 2, 3, 4, 5]
    assert lines[-1].record["event"] == "train_end"
    ended = outcome(run, process.wait())
    assert (ended.state, ended.exit_code, ended.cause) == ("finished", 0, None)


def test_the_trainer_has_its_own_session_and_writes_to_a_file(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    process = start(run, "slow", monkeypatch)
    try:
        status = None
        for _ in range(500):
            status = read_status(run.status_json)
            if status is not None and status.state == "training":
                break
            time.sleep(0.02)
        assert status is not None
        assert status.pids.trainer is not None
        assert status.pids.trainer.pid == process.pid
        assert is_alive(status.pids.trainer)
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        assert run.console_log.read_text(encoding="utf-8") == "a line for console.log: ශ්‍රී\n"
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    ended = outcome(run, process.returncode)
    assert (ended.state, ended.exit_code) == ("stopped", 130)


def test_a_failure_in_the_run_s_own_words(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(run, "fail", monkeypatch)
    assert watch(run, process)[-1].record["event"] == "alert"
    ended = outcome(run, process.wait())
    assert (ended.state, ended.exit_code) == ("failed", 6)
    assert ended.cause is not None
    assert ended.cause.fix == "Choose another split."


def test_killed_from_outside(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(run, "kill", monkeypatch)
    watch(run, process)
    ended = outcome(run, process.wait())
    assert (ended.state, ended.exit_code) == ("failed", 70)
    assert ended.cause is not None
    assert ended.cause.kind == "killed"
    assert "signal 9" in ended.cause.message
    assert "out-of-memory" in ended.cause.message
    assert str(run.console_log) in ended.cause.fix


def test_a_crash_before_there_is_a_status(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(run, "crash", monkeypatch)
    assert watch(run, process) == []
    ended = outcome(run, process.wait())
    assert (ended.state, ended.exit_code) == ("failed", 70)
    assert ended.cause is not None
    assert "exited with code 1" in ended.cause.message
    assert "Traceback" in run.console_log.read_text()


def test_an_end_without_a_word(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(run, "silent", monkeypatch)
    watch(run, process)
    ended = outcome(run, process.wait())
    assert (ended.state, ended.exit_code) == ("failed", 70)


def test_a_module_that_is_not_there(run: RunDirectory) -> None:
    process = start_trainer(run, "tests.runs.no_such_module")
    assert watch(run, process) == []
    assert outcome(run, process.wait()).exit_code == 70
    assert "no_such_module" in run.console_log.read_text()


@pytest.mark.parametrize(
    ("returncode", "state", "code"),
    [
        (-15, "stopped", 130),
        (-2, "stopped", 130),
        (-11, "failed", 70),
        (-35, "failed", 70),
        (7, "failed", 7),
        (1, "failed", 70),
        (0, "failed", 70),
    ],
)
def test_what_the_process_tells_where_the_status_does_not(
    run: RunDirectory, returncode: int, state: str, code: int
) -> None:
    StatusFile(run.status_json).write(Status("training"))
    ended = outcome(run, returncode)
    assert (ended.state, ended.exit_code) == (state, code)
    assert ended.cause is not None


def test_the_status_s_word_goes_before_the_process_s(run: RunDirectory) -> None:
    StatusFile(run.status_json).write(Status("finished", exit_code=0))
    assert outcome(run, -11).exit_code == 0  # a driver's crash after everything was saved


def test_waiting_does_not_cost_a_core(run: RunDirectory) -> None:
    end, before = time.monotonic() + 1.0, time.process_time()
    looks = sum(1 for _ in follow(run, lambda: time.monotonic() < end))
    assert 2 <= looks <= 12
    assert time.process_time() - before < 0.2


def test_what_was_written_right_before_the_end_is_read(run: RunDirectory) -> None:
    # alive() itself writes: after it says that the process is gone, the line must still come.
    def alive() -> bool:
        run.metrics.write_text('{"event":"train_end"}\n')
        return False

    assert [line.text for lines in follow(run, alive) for line in lines] == ['{"event":"train_end"}']
