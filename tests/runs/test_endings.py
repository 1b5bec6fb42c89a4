"""Every way to end without a word, and what it is called."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from inft.runs.endings import Evidence, cause_of_end, told_anew, way_on
from inft.runs.escalation import Patience
from inft.runs.status import Cause

RUN = "small-20250301-120000"
CHECKPOINT = "/project/outputs/checkpoint-40"


def evidence(returncode: int, *tail: str) -> Evidence:
    return Evidence(returncode=returncode, run=RUN, tail=tail, checkpoint=CHECKPOINT, patience=Patience(1, 2.5, 2))


def signals(*numbers: signal.Signals) -> list[int]:
    return [-number for number in numbers]


@pytest.mark.parametrize(
    ("returncode", "state", "code", "kind"),
    [
        (-signal.SIGTERM, "stopped", 130, "stopped"),
        (-signal.SIGINT, "stopped", 130, "stopped"),
        (130, "stopped", 130, "stopped"),
        (-signal.SIGKILL, "failed", 70, "killed"),
        (-signal.SIGUSR1, "failed", 70, "killed"),
        (-35, "failed", 70, "killed"),
        (-signal.SIGSEGV, "failed", 70, "crashed"),
        (-signal.SIGBUS, "failed", 70, "crashed"),
        (-signal.SIGABRT, "failed", 70, "crashed"),
        (-signal.SIGFPE, "failed", 70, "crashed"),
        (-signal.SIGILL, "failed", 70, "crashed"),
        (2, "failed", 2, "configuration"),
        (3, "failed", 3, "not_ready"),
        (4, "failed", 4, "out_of_memory"),
        (5, "failed", 5, "diverged"),
        (6, "failed", 6, "data"),
        (7, "failed", 7, "disk"),
        (8, "failed", 8, "hub"),
        (70, "failed", 70, "internal"),
        (1, "failed", 70, "internal"),
        (99, "failed", 70, "internal"),
        (0, "failed", 70, "internal"),
    ],
)
def test_what_the_process_tells(returncode: int, state: str, code: int, kind: str) -> None:
    ending = cause_of_end(evidence(returncode, "the last line"))
    assert (ending.state, ending.exit_code, ending.cause.kind) == (state, code, kind)
    assert ending.cause.message.endswith(".")
    assert f"`inft-tui resume {RUN}`" in ending.cause.fix
    assert CHECKPOINT in ending.cause.fix
    assert ending.cause.tail == (() if state == "stopped" else ("the last line",))


@pytest.mark.parametrize("returncode", [-signal.SIGKILL, -signal.SIGTERM, -signal.SIGSEGV, 1, 0])
def test_without_a_checkpoint_nobody_is_sent_to_resume(returncode: int) -> None:
    fix = cause_of_end(replace(evidence(returncode), checkpoint=None)).cause.fix
    assert "inft-tui resume" not in fix
    assert "start again" in fix


@pytest.mark.parametrize(
    ("number", "named"),
    [(9, "signal 9 (SIGKILL)"), (11, "signal 11 (SIGSEGV)"), (10, "(SIGUSR1)"), (35, "signal 35")],
)
def test_a_signal_has_its_name(number: int, named: str) -> None:
    assert named in cause_of_end(evidence(-number)).cause.message


def test_a_bus_error_points_at_shared_memory() -> None:
    assert "/dev/shm" in cause_of_end(evidence(-signal.SIGBUS)).cause.fix


def test_the_hosts_memory_ran_out() -> None:
    ending = cause_of_end(replace(evidence(-signal.SIGKILL), out_of_memory=True))
    assert (ending.state, ending.exit_code, ending.cause.kind) == ("failed", 4, "out_of_memory")
    assert "data.num_workers" in ending.cause.fix


@pytest.mark.parametrize("returncode", [-signal.SIGSEGV, -signal.SIGTERM, 1, 0])
def test_another_ones_death_for_want_of_memory_is_not_this_ones(returncode: int) -> None:
    found = cause_of_end(replace(evidence(returncode), out_of_memory=True))
    assert found == cause_of_end(evidence(returncode))


def test_killed_after_a_request_to_stop() -> None:
    ending = cause_of_end(replace(evidence(-signal.SIGKILL), killed_for="stop", out_of_memory=True))
    assert (ending.state, ending.exit_code, ending.cause.kind) == ("stopped", 130, "stopped")
    assert "2.5 seconds" in ending.cause.message
    assert CHECKPOINT in ending.cause.fix


def test_killed_after_a_request_to_abort() -> None:
    ending = cause_of_end(replace(evidence(-signal.SIGKILL), killed_for="abort", aborting=True))
    assert (ending.state, ending.exit_code, ending.cause.kind) == ("stopped", 130, "aborted")
    assert "2 seconds" in ending.cause.message


def test_a_trainer_that_aborted_itself_without_room_to_say_so() -> None:
    ending = cause_of_end(replace(evidence(-signal.SIGKILL), aborting=True))
    assert (ending.state, ending.exit_code, ending.cause.kind) == ("stopped", 130, "aborted")


def test_a_crash_while_asked_to_abort_is_a_crash() -> None:
    assert cause_of_end(replace(evidence(-signal.SIGSEGV), aborting=True)).cause.kind == "crashed"


@pytest.mark.parametrize(
    "line",
    [
        "ModuleNotFoundError: No module named 'trl'",
        "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",
        "OSError: libcublas.so.12: cannot open shared object file: No such file or directory",
        "ImportError: /x/y.so: undefined symbol: _ZN3c10",
        "/work/.venv/bin/python: No module named inft.trainer",
        "python: error while loading shared libraries: libz.so.1: cannot open shared object file",
    ],
)
def test_a_library_that_cannot_be_loaded(line: str) -> None:
    ending = cause_of_end(evidence(1, "Traceback (most recent call last):", '  File "x.py", line 1', line))
    assert (ending.state, ending.exit_code, ending.cause.kind) == ("failed", 3, "library")
    assert line in ending.cause.message
    assert "pip install" in ending.cause.fix


@pytest.mark.parametrize(
    "tail",
    [
        ("ImportError: cannot import name 'x'", "During handling of it:", "RuntimeError: something else"),
        ("ModuleNotFoundError: No module named 'optional'", "torch.OutOfMemoryError: CUDA out of memory"),
        ("a caption that says ImportError", "ValueError: bad"),
        ("fast kernels are off: No module named 'triton'", "epoch 1", "epoch 2", "bye"),
    ],
)
def test_a_library_that_was_only_tried(tail: tuple[str, ...]) -> None:
    assert cause_of_end(evidence(1, *tail)).cause.kind == "internal"


@pytest.mark.parametrize("returncode", [-signal.SIGKILL, -signal.SIGSEGV, 0])
def test_an_import_error_in_the_log_explains_no_other_end(returncode: int) -> None:
    assert cause_of_end(evidence(returncode, "ModuleNotFoundError: No module named 'x'")).cause.kind != "library"


def test_an_unknown_end_quotes_the_exception() -> None:
    ending = cause_of_end(evidence(1, "Traceback (most recent call last):", "my.pkg.OddError: it broke."))
    assert ending.cause.message == "The trainer exited with code 1: my.pkg.OddError: it broke."
    assert "without saying why" in cause_of_end(evidence(1, "100%|####| 5/5")).cause.message


def test_the_last_line_says_what_the_exit_code_means() -> None:
    message = cause_of_end(evidence(7, "Could not write /x/status.json: no space left on device.")).cause.message
    assert (
        message == "The trainer ended with exit code 7 (disk): Could not write /x/status.json: no space left on device."
    )


def test_the_way_on() -> None:
    assert (
        way_on("a", "/b/checkpoint-5")
        == "`inft-tui resume a` goes on from its last complete checkpoint, /b/checkpoint-5."
    )


@pytest.mark.parametrize(
    "written",
    [
        "Its adapters are in /p/best, its checkpoint is in /p/x.y/checkpoints; `inft-tui resume a` goes on from there.",
        way_on("a", "/p/x.y/checkpoint-46"),
        way_on("a", None),
    ],
)
def test_how_to_go_on_is_told_anew(written: str) -> None:
    cause = Cause("stopped", "Stopped.", f"Lower it. {written} And look.")
    for checkpoint in (CHECKPOINT, None):
        assert told_anew(cause, RUN, checkpoint).fix == f"Lower it. {way_on(RUN, checkpoint)} And look."
    assert told_anew(Cause("data", "x", "Choose another split."), RUN, None).fix == "Choose another split."
