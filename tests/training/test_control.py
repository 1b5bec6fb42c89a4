"""Requests to a run, by signals and by files, to a real process that trains nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inft.runs import control as requests
from inft.runs.directory import RunDirectory
from tests.training.runs import REPOSITORY, events_of, status_of, wait_for

PROGRAM = """
import signal, sys, time
from pathlib import Path
from inft.runs.directory import RunDirectory
from inft.training.control import RunControl
from inft.training.report import RunReport

run = RunDirectory(Path(sys.argv[1]))
control = RunControl(run)
def work(seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
        report.progress(report.step + 1, 10**9)
with control.listening():
    report = RunReport(run)
    try:
        with control.watching(report):
{body}
    except KeyboardInterrupt:
        report.stopped(f"Stopped {{control.stop}}.", "")
        sys.exit(130)
report.finished()
"""


INTERRUPTIBLE = "with control.interruptible():\n    work()"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    folder = tmp_path / "a-run"
    folder.mkdir()
    return RunDirectory(folder)


def start(run: RunDirectory, body: str, *, own_session: bool = True) -> subprocess.Popen[bytes]:
    indented = "\n".join(" " * 12 + line for line in body.splitlines())
    with run.console_log.open("ab") as console:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=indented), str(run.path)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=own_session,
        )
    wait_for(lambda: run.status_json.exists() and status_of(run).step > 0, process)
    return process


def alerts(run: RunDirectory) -> list[tuple[str, str]]:
    return [(event["kind"], event["message"]) for event in events_of(run, "alert")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_at_once_where_nothing_can_be_saved(run: RunDirectory, number: signal.Signals) -> None:
    process = start(run, INTERRUPTIBLE)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(5) == 130
    cause = status_of(run).cause
    assert cause is not None
    assert cause.message == f"Stopped by {number.name}."
    assert alerts(run) == [("stop", f"Asked to stop by {number.name}.")]


def test_a_request_to_stop_does_the_same_and_is_taken_away_at_the_end(run: RunDirectory) -> None:
    process = start(run, INTERRUPTIBLE)
    requests.ask(run, "stop")
    assert process.wait(5) == 130
    ((kind, message),) = alerts(run)
    assert kind == "stop"
    assert f"(process {os.getpid()})" in message
    assert requests.pending(run) == frozenset()


def test_a_request_from_before_the_start_counts(run: RunDirectory) -> None:
    requests.ask(run, "stop")
    indented = " " * 12 + "with control.interruptible(): work()"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=indented), str(run.path)], cwd=REPOSITORY, timeout=15
    )
    assert done.returncode == 130


def test_a_deferred_stop_is_noted_and_honoured_later(run: RunDirectory) -> None:
    process = start(run, "work(2)\nassert control.stop\nwith control.interruptible():\n    pass")
    requests.ask(run, "stop")
    began = time.monotonic()
    assert process.wait(10) == 130
    assert time.monotonic() - began > 0.5


def test_a_stop_that_somebody_swallowed_is_repeated(run: RunDirectory) -> None:
    process = start(
        run, "with control.interruptible():\n    try:\n        work()\n    except KeyboardInterrupt:\n        work()"
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 130


SAVES = """
for step in range(12):
    work(0.4)
    if control.take_save():
        print("saving", flush=True)
        time.sleep(0.5)
        control.saved()
"""


def saves(run: RunDirectory) -> int:
    return run.console_log.read_text().count("saving")


@pytest.mark.parametrize("how", ["signal", "file"])
def test_a_save_is_honoured_once(run: RunDirectory, how: str) -> None:
    process = start(run, SAVES)
    if how == "signal":
        process.send_signal(signal.SIGUSR1)
    else:
        requests.ask(run, "save")
    assert process.wait(30) == 0, run.console_log.read_text()
    assert saves(run) == 1
    assert [kind for kind, _ in alerts(run)] == ["save"]
    assert requests.pending(run) == frozenset()


def test_who_asks_while_a_checkpoint_is_being_written_gets_another(run: RunDirectory) -> None:
    process = start(run, SAVES)
    requests.ask(run, "save")
    wait_for(lambda: saves(run) == 1, process)
    requests.ask(run, "save")
    assert process.wait(30) == 0
    assert saves(run) == 2


def test_a_request_that_cannot_be_taken_away_is_honoured_once(run: RunDirectory) -> None:
    """As in a folder of another user; here the deletion itself is refused, since tests may be run by root."""
    denied = "from inft.errors import DiskError\nimport inft.runs.control as c\n"
    denied += "def denied(run, request):\n    raise DiskError('not permitted', '')\nc.done = denied\n"
    process = start(run, denied + SAVES)
    requests.ask(run, "save")
    wait_for(lambda: saves(run) == 1, process)
    time.sleep(1.5)
    assert saves(run) == 1
    requests.ask(run, "save")
    assert process.wait(30) == 0, run.console_log.read_text()
    assert saves(run) == 2


def test_a_look_during_a_save_notes_nothing_twice(run: RunDirectory) -> None:
    """The watcher looked before the request was taken away, and notes what it saw only afterwards."""
    slow = (
        "by = RunControl._by\n"
        "def slow(self, request):\n"
        "    said = by(self, request)\n"
        "    print('looked', flush=True)\n"
        "    time.sleep(1)\n"
        "    return said\n"
        "RunControl._by = slow\n"
        "for step in range(60):\n"
        "    work(0.1)\n"
        "    if control.take_save():\n"
        "        print('saving', flush=True)\n"
        "        control.saved()\n"
    )
    process = start(run, slow)
    requests.ask(run, "save")
    wait_for(lambda: "looked" in run.console_log.read_text(), process)
    process.send_signal(signal.SIGUSR1)  # by which it is taken on while the watcher still works on the file
    assert process.wait(30) == 0, run.console_log.read_text()
    assert saves(run) == 1


def test_blocked_signals_are_heard_once_somebody_listens(run: RunDirectory) -> None:
    block = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])\n"
    indented = "\n".join(" " * 12 + line for line in INTERRUPTIBLE.splitlines())
    process = subprocess.Popen(
        [sys.executable, "-c", block + PROGRAM.format(body=indented), str(run.path)], cwd=REPOSITORY
    )
    try:
        wait_for(lambda: run.status_json.exists() and status_of(run).step > 0, process)
        process.send_signal(signal.SIGUSR1)
        time.sleep(1)
        process.terminate()
        assert process.wait(10) == 130
    finally:
        process.kill()
        process.wait()
    assert alerts(run) == [("save", "Asked to save by SIGUSR1."), ("stop", "Asked to stop by SIGTERM.")]


def test_an_abort_ends_now_and_nothing_overwrites_it(run: RunDirectory) -> None:
    body = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nprint('child', child.pid, flush=True)\n"
    process = start(run, body + "work()")
    requests.ask(run, "abort")
    assert process.wait(5) == -signal.SIGKILL
    status = status_of(run)
    assert status.cause is not None
    assert (status.state, status.exit_code, status.cause.kind) == ("stopped", 130, "aborted")
    assert [event["state"] for event in events_of(run, "train_end")] == ["stopped"]
    child = int(run.console_log.read_text().split()[1])
    wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text())
    assert requests.pending(run) == frozenset()


def test_an_abort_spares_who_merely_shares_the_group(run: RunDirectory) -> None:
    process = start(run, INTERRUPTIBLE, own_session=False)
    requests.ask(run, "abort")
    assert process.wait(5) == -signal.SIGKILL  # and this process, of the same group, goes on
    cause = status_of(run).cause
    assert cause is not None
    assert cause.kind == "aborted"


def test_a_forked_process_ignores_ctrl_c_and_ends_by_sigterm(run: RunDirectory) -> None:
    body = (
        "import os\nchild = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)\n"
        "print(child, flush=True)\nprint('ended', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)"
    )
    indented = "\n".join(" " * 12 + line for line in body.splitlines())
    with run.console_log.open("ab") as console:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=indented), str(run.path)], cwd=REPOSITORY, stdout=console
        )
    wait_for(lambda: run.console_log.read_text().endswith("\n"), process)
    child = int(run.console_log.read_text())
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        os.kill(child, number)
    time.sleep(0.5)
    assert "ended" not in run.console_log.read_text()
    os.kill(child, signal.SIGTERM)
    assert process.wait(10) == 0
    assert run.console_log.read_text().endswith(f"ended {128 + signal.SIGTERM}\n")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
