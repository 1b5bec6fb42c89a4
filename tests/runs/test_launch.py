"""What the trainer is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.runs.directory import RunDirectory
from inft.runs.launch import start_trainer
from inft.runs.status import read_status

MARK = "import pathlib; pathlib.Path(__file__).with_name('imported').touch()"


def test_nothing_in_the_projects_folder_is_taken_for_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, run = tmp_path / "project", RunDirectory(tmp_path / "run")
    for folder in (project / "inft", run.path):
        folder.mkdir(parents=True)
    for name in ("random.py", "msgspec.py", "inft/__init__.py"):
        (project / name).write_text(MARK)
    monkeypatch.setenv("INFT_HOME", str(project))
    # Any module of ours will do: what counts is where it and what it imports come from.
    assert start_trainer(run, "inft.runs.status").wait(30) == 0, run.console_log.read_text()
    assert not list(project.rglob("imported"))


def test_a_run_has_a_status_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    process = start_trainer(run, "inft.runs.status")
    status = read_status(run.status_json)
    process.wait(30)
    assert status is not None
    assert (status.state, status.exit_code) == ("queued", None)
