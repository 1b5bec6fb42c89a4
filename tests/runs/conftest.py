from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from inft.config import Config
from inft.machine.processes import is_alive
from inft.profiles import resolve, to_toml
from inft.runs.directory import RunDirectory, create_run
from inft.runs.launch import start_supervisor
from inft.runs.status import read_status
from tests.runs.stand_in import MODULE, write_project
from tests.runs.supervision import Launch, Supervisor


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with one profile, apart from this checkout and its log folder. Its trainers end with the test."""
    write_project(tmp_path)
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    yield tmp_path
    for path in tmp_path.glob("logs/*/status.json"):
        status = read_status(path)
        if status is not None and status.pids.trainer is not None and is_alive(status.pids.trainer):
            os.kill(status.pids.trainer.pid, signal.SIGKILL)


@pytest.fixture
def config(project: Path) -> Config:
    return resolve("small").config


@pytest.fixture
def run(config: Config) -> RunDirectory:
    return create_run(config, to_toml(config), argv=["inft-tui", "--headless", "--profile", "small"])


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> Launch:
    def start(run: RunDirectory, behaviour: str) -> Supervisor:
        monkeypatch.setenv("STAND_IN", behaviour)
        return start_supervisor(run, module=MODULE)

    return start
