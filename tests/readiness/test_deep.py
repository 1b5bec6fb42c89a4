"""What becomes of a probe that hangs, crashes or babbles; `tests/inft_tui/test_doctor.py` runs the real one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from inft.readiness.check import Check
from inft.readiness.deep import probe


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def probed(folder: Path, source: str, limit_s: float = 20) -> list[Check]:
    (folder / "a_probe.py").write_text(source)
    return probe("a_probe", limit_s, expects_gpu=False)


def test_what_did_not_pass(programs: Path) -> None:
    trials = [
        {"name": "torch", "passed": True, "message": "ok"},
        {"name": "x", "passed": False, "message": "off by nan"},
    ]
    ready, failed = probed(programs, f"print('noise')\nprint({json.dumps(json.dumps(trials))})")
    assert ready == Check("deep: torch", "green", "ok")
    assert (failed.name, failed.status, failed.message) == ("deep: x", "red", "off by nan")
    assert failed.fix


@pytest.mark.parametrize("expects_gpu", [True, False])
def test_it_is_told_whether_there_has_to_be_a_gpu(programs: Path, expects_gpu: bool) -> None:
    trial = '{"name": "torch", "passed": false, "message": "%s", "fix": "Do this."}'
    (programs / "a_probe.py").write_text(f"import sys; print('[' + {trial!r} % ' '.join(sys.argv[1:]) + ']')")
    (check,) = probe("a_probe", expects_gpu=expects_gpu)
    assert (check.message, check.fix) == ("--gpu" if expects_gpu else "", "Do this.")


def test_ctrl_c_ends_it(programs: Path) -> None:
    own = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    (programs / "a_probe.py").write_text(own)
    asking = "from inft.readiness.deep import probe; probe('a_probe', 20, expects_gpu=False)"
    asker = subprocess.Popen([sys.executable, "-c", asking], cwd=programs, stderr=subprocess.DEVNULL)
    pid = programs / "pid"
    for moment in (True, False):
        until = time.monotonic() + 10
        while (pid.is_file() and pid.read_text() and psutil.pid_exists(int(pid.read_text()))) != moment:
            assert time.monotonic() < until
            time.sleep(0.02)
        if moment:
            asker.send_signal(signal.SIGINT)
    assert asker.wait(10) != 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("import no_such_library_at_all", "No module named 'no_such_library_at_all'"),
        ("print('no json')", "exit code 0"),
        ("print('[3]')", "exit code 0"),
        ("raise SystemExit(7)", "exit code 7"),
    ],
)
def test_one_that_comes_to_nothing(programs: Path, source: str, words: str) -> None:
    (check,) = probed(programs, source)
    assert (check.name, check.status) == ("deep", "red")
    assert words in check.message
    assert check.fix


def test_one_that_hangs(programs: Path) -> None:
    began = time.monotonic()
    (check,) = probed(programs, "import time; time.sleep(60)", limit_s=0.5)
    assert check.status == "red"
    assert "did not end" in check.message
    assert time.monotonic() - began < 5
