"""What becomes of a probe that hangs, crashes or babbles; `tests/inft_tui/test_doctor.py` runs the real one."""

from __future__ import annotations

import json
import time
from pathlib import Path

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
    return probe("a_probe", limit_s)


def test_what_did_not_pass(programs: Path) -> None:
    trials = [
        {"name": "torch", "passed": True, "message": "ok"},
        {"name": "x", "passed": False, "message": "off by nan"},
    ]
    ready, failed = probed(programs, f"print('noise')\nprint({json.dumps(json.dumps(trials))})")
    assert ready == Check("deep: torch", "green", "ok")
    assert (failed.name, failed.status, failed.message) == ("deep: x", "red", "off by nan")
    assert failed.fix


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
