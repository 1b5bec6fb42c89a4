"""What supervisor and trainer are started with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.machine.processes import is_alive
from inft.runs.control import ask
from inft.runs.directory import RunDirectory
from inft.runs.launch import start_supervisor, start_trainer, supervisor_log
from inft.runs.locks import OutputLocks
from inft.runs.status import read_status
from tests.runs import stand_in
from tests.runs.supervision import until, working

MARK = "import pathlib; pathlib.Path(__file__).with_name('imported').touch()"
# Written as a module of the project's own, which -P keeps from being one: it has to come by PYTHONPATH.
REPORT = """
import json, os, sys
keys = ("PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONPATH", "GOMP_SPINCOUNT", "INFT_LOCKS", "INFT_SUPERVISED")
print(json.dumps([{key: os.environ.get(key) for key in keys}, os.getsid(0), os.getpid(), os.getcwd()]))
print("caf\\udce9 ශ්‍රී")
"""


@pytest.fixture
def project_with_traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    (project / "inft").mkdir(parents=True)
    for name in ("random.py", "msgspec.py", "psutil.py", "inft/__init__.py"):
        (project / name).write_text(MARK)
    monkeypatch.setenv("INFT_HOME", str(project))
    return project


def test_nothing_in_the_projects_folder_is_taken_for_a_library(tmp_path: Path, project_with_traps: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    # Any module of ours will do as a trainer: what counts is where it and what it imports come from.
    supervisor = start_supervisor(run, module="inft.runs.status")
    assert supervisor.wait(30) == 70, supervisor_log(run).read_text()
    assert not list(project_with_traps.rglob("imported"))
    status = read_status(run.status_json)
    assert status is not None
    assert status.cause is not None
    assert status.cause.message == "The trainer ended without saying how its run ended."


def test_a_run_has_a_status_from_the_start(run: RunDirectory) -> None:
    supervisor = start_supervisor(run, module="tests.runs.stand_in")
    status = read_status(run.status_json)
    assert status is not None
    assert status.exit_code is None
    assert supervisor.wait(30) == 0


def test_a_run_whose_folder_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    with pytest.raises(DiskError, match=r"status\.json"):
        start_supervisor(RunDirectory(tmp_path / "nowhere"))


def test_the_trainers_surroundings(
    run: RunDirectory, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "reporting.py").write_text(REPORT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(library))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("INFT_LOCKS", "987")  # of the run that the launcher itself belongs to
    trainer = start_trainer(run, module="reporting")
    assert trainer.stdin is not None
    trainer.stdin.close()
    assert trainer.wait(30) == 0, run.console_log.read_text()
    first, second = run.console_log.read_text(encoding="utf-8").splitlines()
    environment, session, pid, folder = json.loads(first)
    packages = Path(stand_in.__file__).resolve().parents[2]
    assert environment == {
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": f"{packages}{os.pathsep}{library}",
        "GOMP_SPINCOUNT": "2000",
        "INFT_LOCKS": None,
        "INFT_SUPERVISED": "1",
    }
    assert session == pid == trainer.pid
    assert folder == str(project)
    assert second == "caf\\udce9 ශ්‍රී"


def test_the_locks_are_held_until_the_last_process_is_gone(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "slow")
    outputs = tmp_path / "outputs"
    with OutputLocks.acquire([outputs], run) as locks:
        supervisor = start_supervisor(run, locks=locks, module=stand_in.MODULE)
    other = RunDirectory(tmp_path / "logs" / "other")

    def is_free() -> bool:
        try:
            OutputLocks.acquire([outputs], other, wait_s=0).close()
        except ConfigError:
            return False
        return True

    trainer = working(run)
    assert not is_free()
    supervisor.kill()
    supervisor.wait()
    assert not is_free()
    ask(run, "stop")
    until(lambda: not is_alive(trainer))
    until(is_free)


def test_a_program_that_the_trainer_starts_does_not_keep_the_locks(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OutputLocks.acquire([tmp_path / "outputs"], run) as locks:
        found = subprocess.run(
            ["ls", "/proc/self/fd"], capture_output=True, text=True, check=True, close_fds=False
        ).stdout.split()
        assert not {str(number) for number in locks.descriptors} & set(found)
