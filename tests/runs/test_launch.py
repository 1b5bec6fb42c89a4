"""What supervisor and trainer are started with."""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import ConfigError, DiskError, NotReadyError
from inft.machine.processes import is_alive
from inft.profiles import to_toml
from inft.runs.control import ask
from inft.runs.directory import RunDirectory, create_run
from inft.runs.launch import search_path, start_sampler, start_supervisor, start_trainer, supervisor_log
from inft.runs.locks import OutputLocks
from inft.runs.status import read_status
from tests.runs import stand_in
from tests.runs.pretend import save_checkpoint
from tests.runs.supervision import until, working

MARK = "import pathlib; pathlib.Path(__file__).with_name('imported').touch()"
# Written as a module of the project's own, which -P keeps from being one: it has to come by PYTHONPATH.
REPORT = """
import json, os, sys
keys = ("PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONPATH", "GOMP_SPINCOUNT", "INFT_LOCKS", "INFT_SUPERVISED")
print(json.dumps([{key: os.environ.get(key) for key in keys}, os.getsid(0), os.getpid(), os.getcwd()]))
print("caf\\udce9 ශ්‍රී")
"""

# A trainer that takes its time to load, and then listens.
LISTEN = """
import os, sys, time
while os.read(0, 1): pass
from pathlib import Path
from inft.runs.directory import RunDirectory
from inft.training.control import RunControl
control = RunControl(RunDirectory(Path(sys.argv[1])))
with control.listening():
    print("asked to save:", control.take_save())
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


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, ["expandable_segments:True", None]),
        ({"PYTORCH_ALLOC_CONF": "backend:native"}, ["backend:native", None]),
        ({"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}, [None, "backend:native"]),
    ],
)
def test_the_gpu_s_memory_is_kept_in_segments_that_grow_unless_a_person_says_otherwise(
    run: RunDirectory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stated: dict[str, str],
    expected: list[str | None],
) -> None:
    names = ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"]
    (tmp_path / "allocating.py").write_text(f"import json, os; print(json.dumps(list(map(os.environ.get, {names}))))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    trainer = start_trainer(run, module="allocating")
    assert trainer.wait(30) == 0, run.console_log.read_text()
    assert json.loads(run.console_log.read_text()) == expected


def test_relative_paths_of_the_launcher_mean_the_same_to_its_children(
    run: RunDirectory, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "library").mkdir()
    (project / "library" / "reporting.py").write_text(
        "import os; from inft.project import cache_dir, project_root; print(project_root(), cache_dir())"
    )
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    monkeypatch.setenv("INFT_HOME", "..")
    monkeypatch.setenv("INFT_CACHE", "cache")
    monkeypatch.setenv("PYTHONPATH", "../library")
    trainer = start_trainer(run, module="reporting")
    assert trainer.wait(30) == 0, run.console_log.read_text()
    assert run.console_log.read_text().split() == [str(project), str(project / "sub" / "cache")]


def test_a_folder_that_python_searches_anyway_is_not_put_before_its_library(tmp_path: Path) -> None:
    assert search_path(tmp_path) == [str(tmp_path)]
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()):
        assert search_path(Path(folder)) == []


def test_a_folder_of_runs_that_is_a_link_stays_the_project_s(
    project: Path, config: Config, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("disk") / "logs"
    other.mkdir()
    (project / "logs").symlink_to(other)
    run = create_run(config, to_toml(config), argv=["inft-tui"])
    saved = save_checkpoint(run, 40)
    monkeypatch.setenv("STAND_IN", "kill")
    assert start_supervisor(run, module=stand_in.MODULE).wait(30) == 70
    status = read_status(run.status_json)
    assert status is not None
    assert status.cause is not None
    assert str(saved.path) in status.cause.fix
    assert f"resume {run.run_id}`" in status.cause.fix


def test_a_supervisor_that_cannot_be_started(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(run.path / "nowhere"))
    with pytest.raises(NotReadyError, match="no such file") as caught:
        start_supervisor(run)
    assert caught.value.exit_code == 3


def test_a_request_to_save_that_comes_too_early_is_kept(run: RunDirectory, project: Path, tmp_path: Path) -> None:
    (tmp_path / "listening.py").write_text(LISTEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        trainer = start_trainer(run, module="listening")
    trainer.send_signal(signal.SIGUSR2)
    trainer.send_signal(signal.SIGUSR1)
    assert trainer.stdin is not None
    trainer.stdin.close()
    assert trainer.wait(30) == 0, run.console_log.read_text()
    assert run.console_log.read_text() == "asked to save: True\n"


def test_the_sampler_outlives_a_scheduler_s_warning(run: RunDirectory) -> None:
    sampler = start_sampler(run, os.getpid(), 0.1, None)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        sampler.send_signal(number)
    until(lambda: run.hardware.exists() and run.hardware.stat().st_size > 0)
    assert sampler.poll() is None
    assert sampler.stdin is not None
    sampler.stdin.close()
    assert sampler.wait(20) == 0


def test_the_launcher_s_own_signals_stay_as_they_were(run: RunDirectory) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert start_supervisor(run, module=stand_in.MODULE).wait(30) == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


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
