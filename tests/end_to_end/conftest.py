from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from inft.machine.processes import is_alive
from inft.runs.status import read_status
from tests.end_to_end.real_runs import HEADLESS, Outcome, Project


@pytest.fixture
def project(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project apart from this checkout; what runs in it ends with the test."""
    project = Project(tmp_path / "project")
    with in_project(project, cache, monkeypatch):
        yield project


@pytest.fixture(scope="session")
def undisturbed(shared: Path, cache: Path) -> Outcome:
    """What a run comes to that nobody disturbs, followed to its end."""
    project = Project(shared / "undisturbed")
    with (shared / "undisturbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not project.root.exists():
            with pytest.MonkeyPatch.context() as monkeypatch, in_project(project, cache, monkeypatch):
                done = project.command(*HEADLESS)
                assert done.returncode == 0, done.stderr
    return project.outcome(project.only_run())


@contextmanager
def in_project(project: Project, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In here, commands belong to a project; what it leaves running is killed."""
    project.root.mkdir()
    environment = {
        "INFT_HOME": str(project.root),
        "INFT_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        yield
    finally:
        for path in project.root.glob("logs/*/status.json"):
            status = read_status(path)
            for process in (status.pids.supervisor, status.pids.trainer) if status is not None else ():
                if process is not None and is_alive(process):
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
