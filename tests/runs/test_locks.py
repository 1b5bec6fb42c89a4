from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.machine.boot import boot_id
from inft.machine.processes import this_process
from inft.runs import locks as locks_module
from inft.runs import provenance
from inft.runs.directory import RunDirectory
from inft.runs.locks import ENVIRONMENT, INSIDE, OutputLocks, lock_file, read_holder, standing
from inft.runs.status import Cause, Pids, Status, StatusFile

HOLD = """
import sys, time
from pathlib import Path
from inft.runs.directory import RunDirectory
from inft.runs.locks import OutputLocks
locks = OutputLocks.acquire([Path(p) for p in sys.argv[2:]], RunDirectory(Path(sys.argv[1])))
print("held", flush=True)
time.sleep(60)
"""

ADOPT = """
import os, sys, time
from inft.runs.locks import ENVIRONMENT, OutputLocks
locks = OutputLocks.adopt(os.environ[ENVIRONMENT])
print("held", flush=True)
if sys.argv[1] == "worker" and os.fork() == 0:
    time.sleep(60)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "checkpoints"


def run_called(tmp_path: Path, name: str) -> RunDirectory:
    run = RunDirectory(tmp_path / "logs" / name)
    run.path.mkdir(parents=True, exist_ok=True)
    return run


@contextmanager
def holding(run: RunDirectory, *folders: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the locks."""
    with told(
        subprocess.Popen([sys.executable, "-c", HOLD, run.path, *folders], stdout=subprocess.PIPE, text=True)
    ) as it:
        yield it


@contextmanager
def told(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(folder: Path, run: RunDirectory, wait_s: float = 5.0) -> None:
    OutputLocks.acquire([folder], run, wait_s).close()


class TestHolding:
    def test_a_second_run_is_refused_and_told_who_holds_it(self, tmp_path: Path, folder: Path) -> None:
        first, second = run_called(tmp_path, "first"), run_called(tmp_path, "second")
        StatusFile(first.status_json).write(Status("training"))
        with holding(first, folder) as process:
            began = time.monotonic()
            with pytest.raises(ConfigError) as refused:
                take(folder, second)
            assert time.monotonic() - began < 1
            holder = read_holder(lock_file(folder))
            assert holder is not None
            assert (holder.run_id, holder.path, holder.pid) == ("first", str(first.path), process.pid)
            assert refused.value.message == f"Run first has been writing to {folder} since {holder.created}."
            assert "`inft-tui stop first`" in refused.value.fix
            assert int(refused.value.exit_code) == 2

    def test_another_folder_is_free(self, tmp_path: Path, folder: Path) -> None:
        with holding(run_called(tmp_path, "first"), folder):
            take(folder.with_name("other"), run_called(tmp_path, "second"))

    def test_it_takes_all_or_none(self, tmp_path: Path, folder: Path) -> None:
        free = folder.with_name("another")
        with holding(run_called(tmp_path, "first"), folder):
            with pytest.raises(ConfigError):
                OutputLocks.acquire([free, folder], run_called(tmp_path, "second"))
            take(free, run_called(tmp_path, "third"))

    def test_the_same_folder_by_two_names_is_one(self, tmp_path: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        (tmp_path / "link").symlink_to(folder)
        OutputLocks.acquire(
            [folder, folder / ".." / folder.name, tmp_path / "link"], run_called(tmp_path, "one")
        ).close()
        with holding(run_called(tmp_path, "first"), tmp_path / "link"), pytest.raises(ConfigError):
            take(folder, run_called(tmp_path, "second"))

    def test_the_locked_folder_may_be_moved_away(self, tmp_path: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        with holding(run_called(tmp_path, "first"), folder):
            folder.rename(folder.with_name("moved"))
            with pytest.raises(ConfigError):
                take(folder, run_called(tmp_path, "second"))

    def test_a_killed_holder_holds_no_longer(self, tmp_path: Path, folder: Path) -> None:
        with holding(run_called(tmp_path, "first"), folder) as process:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            take(folder, run_called(tmp_path, "second"))

    def test_of_many_at_once_one_gets_it(self, tmp_path: Path, folder: Path) -> None:
        results: list[str] = []

        def attempt(number: int) -> None:
            try:
                held.append(OutputLocks.acquire([folder], run_called(tmp_path, f"run-{number}")))
                results.append("held")
            except ConfigError as error:
                results.append(error.message)

        held: list[OutputLocks] = []
        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results.count("held") == 1
        holder = read_holder(lock_file(folder))
        assert holder is not None
        assert sum(f"Run {holder.run_id} has been" in text for text in results) == 7
        held[0].close()
        held[0].close()
        take(folder, run_called(tmp_path, "next"))


class TestInheriting:
    def test_the_last_of_a_runs_processes_holds_it(self, tmp_path: Path, folder: Path) -> None:
        locks = OutputLocks.acquire([folder, folder.with_name("best")], run_called(tmp_path, "first"))
        with told(heir(locks, "plain")) as process:
            locks.close()
            for name in ("checkpoints", "best"):
                with pytest.raises(ConfigError, match="Run first has been writing"):
                    take(folder.with_name(name), run_called(tmp_path, "second"))
            process.kill()
            process.wait()
            take(folder, run_called(tmp_path, "second"))

    def test_programs_and_workers_started_later_do_not(self, tmp_path: Path, folder: Path) -> None:
        locks = OutputLocks.acquire([folder], run_called(tmp_path, "first"))
        with subprocess.Popen(["sleep", "60"], close_fds=False) as program:
            try:
                with told(heir(locks, "worker")) as process:
                    locks.close()
                    time.sleep(0.2)  # for the worker, which ends its life as an orphan
                    process.kill()
                    process.wait()
                    take(folder, run_called(tmp_path, "second"))
                    os.killpg(process.pid, signal.SIGKILL)
            finally:
                program.kill()

    def test_what_the_environment_names_must_be_open(self) -> None:
        for numbers in ("987654", "x", "-1", "0.5"):
            with pytest.raises(ConfigError, match=f"{ENVIRONMENT}={numbers}"):
                OutputLocks.adopt(numbers)
        reading, writing = os.pipe()
        with pytest.raises(ConfigError):
            OutputLocks.adopt(str(reading))
        os.close(reading)
        os.close(writing)


class TestWaiting:
    def test_a_run_that_has_said_its_last_word_is_waited_for(self, tmp_path: Path, folder: Path) -> None:
        first, second = run_called(tmp_path, "first"), run_called(tmp_path, "second")
        StatusFile(first.status_json).write(Status("finished", exit_code=0))
        with holding(first, folder) as process:
            ending = threading.Timer(0.5, process.kill)
            ending.start()
            began = time.monotonic()
            take(folder, second)
            assert 0.3 < time.monotonic() - began < 4
            ending.join()

    def test_but_not_for_ever(self, tmp_path: Path, folder: Path) -> None:
        first = run_called(tmp_path, "first")
        StatusFile(first.status_json).write(Status("failed", exit_code=7, cause=Cause("disk", "Full.", "")))
        with holding(first, folder), pytest.raises(ConfigError, match="has ended, but a process of it still holds"):
            take(folder, run_called(tmp_path, "second"), wait_s=0.3)

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"run_id": "x', b"\x00" * 100, b"[" * 100_000])
    def test_a_holder_that_says_nothing_sensible(self, tmp_path: Path, folder: Path, content: bytes) -> None:
        with holding(run_called(tmp_path, "first"), folder):
            lock_file(folder).write_bytes(content)
            with pytest.raises(ConfigError, match="Another process holds"):
                take(folder, run_called(tmp_path, "second"))

    def test_parts_of_two_writes_are_not_believed(self, tmp_path: Path, folder: Path) -> None:
        take(folder, run_called(tmp_path, "first"))
        content = lock_file(folder).read_bytes()
        lock_file(folder).write_bytes(content.replace(b'"first"', b'"other"'))
        assert read_holder(lock_file(folder)) is None

    def test_a_reader_never_sees_half(self, tmp_path: Path, folder: Path) -> None:
        take(folder, run_called(tmp_path, "long-" * 30))
        ended = threading.Event()
        seen: set[str] = set()

        def look() -> None:
            while not ended.is_set():
                holder = read_holder(lock_file(folder))
                seen.add("nothing" if holder is None else re.sub(r"-.*", "", holder.run_id))

        reader = threading.Thread(target=look)
        reader.start()
        for number in range(300):
            take(folder, run_called(tmp_path, "long-" * 30 if number % 2 else "short"))
        ended.set()
        reader.join()
        assert seen == {"long", "short"}


def unsupported(descriptor: int, operation: int) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


class TestWithoutLocking:
    """File systems that cannot lock: what the named run is doing decides."""

    def test_a_run_at_work_is_left_alone(self, tmp_path: Path, folder: Path) -> None:
        first, second = run_called(tmp_path, "first"), run_called(tmp_path, "second")
        OutputLocks.acquire([folder], first, flock=unsupported, going_on=lambda run: False).close()
        asked: list[RunDirectory] = []

        def going_on(run: RunDirectory) -> bool:
            asked.append(run)
            return True

        with pytest.raises(ConfigError, match="Run first has been writing"):
            OutputLocks.acquire([folder], second, flock=unsupported, going_on=going_on)
        assert asked == [RunDirectory(first.path.resolve())]
        OutputLocks.acquire([folder], second, flock=unsupported, going_on=lambda run: False).close()
        holder = read_holder(lock_file(folder))
        assert holder is not None
        assert holder.run_id == "second"

    def test_what_the_named_run_is_doing_is_looked_up(self, tmp_path: Path, folder: Path, run: RunDirectory) -> None:
        other = run_called(tmp_path, "other")
        OutputLocks.acquire([folder], run, flock=unsupported).close()
        StatusFile(run.status_json).write(Status("training", Pids(trainer=this_process())))
        with pytest.raises(ConfigError, match=f"Run {run.run_id} has been writing") as refused:
            OutputLocks.acquire([folder], other, flock=unsupported)
        assert f"delete {lock_file(folder)}" in refused.value.fix
        StatusFile(run.status_json).write(Status("finished", exit_code=0))
        OutputLocks.acquire([folder], other, flock=unsupported).close()

    def test_a_run_that_is_not_there_any_more_holds_nothing(self, tmp_path: Path, folder: Path) -> None:
        first = run_called(tmp_path, "first")
        OutputLocks.acquire([folder], first, flock=unsupported).close()
        (first.path / "run.json").write_text("damaged")
        with pytest.raises(ConfigError, match="Run first has been writing"):
            OutputLocks.acquire([folder], run_called(tmp_path, "second"), flock=unsupported)
        (first.path / "run.json").unlink()
        OutputLocks.acquire([folder], run_called(tmp_path, "second"), flock=unsupported).close()

    def test_of_two_at_the_same_moment_one_gets_it(self, tmp_path: Path, folder: Path) -> None:
        results: list[str] = []

        def attempt(number: int) -> None:
            run = run_called(tmp_path, f"run-{number}")
            try:
                OutputLocks.acquire([folder], run, flock=unsupported, going_on=lambda run: False)
                results.append("held")
            except ConfigError:
                results.append("refused")

        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["held", "refused"]

    def test_a_lock_of_another_machine_is_not_trusted_to_be_seen(
        self, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(provenance, "host_name", lambda: "elsewhere")
        monkeypatch.setattr(locks_module, "boot_id", lambda: "another")
        take(folder, run_called(tmp_path, "first"))
        monkeypatch.undo()
        with pytest.raises(ConfigError) as refused:
            OutputLocks.acquire([folder], run_called(tmp_path, "second"), going_on=lambda run: True)
        assert "Run first on elsewhere" in refused.value.message
        assert f"if it is certainly dead, delete {lock_file(folder)}" in refused.value.fix
        OutputLocks.acquire([folder], run_called(tmp_path, "second"), going_on=lambda run: False).close()

    @pytest.mark.skipif(boot_id() is None, reason="this system does not name its boots")
    def test_a_lock_of_another_container_is(
        self, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(provenance, "host_name", lambda: "elsewhere")
        take(folder, run_called(tmp_path, "first"))
        monkeypatch.undo()
        OutputLocks.acquire([folder], run_called(tmp_path, "second"), going_on=lambda run: True).close()


class TestWhereItLies:
    def test_beside_the_folder(self, folder: Path) -> None:
        assert lock_file(folder) == folder.parent / f".{folder.name}.lock"

    def test_inside_a_mount(self) -> None:
        mounts = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
        mount = next(path for path in mounts if path != Path("/") and path.is_dir())
        assert lock_file(mount) == mount / INSIDE

    def test_inside_a_folder_whose_parent_is_closed_for_everybody_from_then_on(
        self, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.mkdir(parents=True)
        with monkeypatch.context() as patch:  # root may write everywhere
            patch.setattr(os, "access", lambda path, mode: Path(path) != folder.parent)
            held = OutputLocks.acquire([folder], run_called(tmp_path, "first"))
        with held:
            assert (folder / INSIDE).exists()
            with pytest.raises(ConfigError, match="Run first"):
                OutputLocks.acquire([folder], run_called(tmp_path, "second"))

    def test_a_lock_beside_it_counts_where_the_parent_is_closed(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.mkdir(parents=True)
        beside = lock_file(folder)
        beside.touch()
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        assert lock_file(folder) == beside


class TestStanding:
    def test_it_is_what_the_kernel_knows(self, tmp_path: Path, folder: Path) -> None:
        assert standing(folder, "first") == "absent"
        with OutputLocks.acquire([folder], run_called(tmp_path, "first")):
            assert standing(folder, "first") == "held"
            assert standing(folder, "second") == "free"
        assert standing(folder, "first") == "free"

    def test_a_file_system_that_cannot_lock(self, tmp_path: Path, folder: Path) -> None:
        take(folder, run_called(tmp_path, "first"))

        def unsupported(descriptor: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        assert standing(folder, "first", flock=unsupported) == "unknown"


class TestDisk:
    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(DiskError, match="file exists"):
            take(tmp_path / "file" / "outputs", run_called(tmp_path, "first"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").mkdir(mode=0o500)
        with pytest.raises(DiskError, match="permission denied"):
            take(tmp_path / "theirs" / "outputs", run_called(tmp_path, "first"))

    def test_an_error_of_the_lock_itself_is_said(self, tmp_path: Path, folder: Path) -> None:
        def broken(descriptor: int, operation: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with pytest.raises(DiskError, match="input/output error"):
            OutputLocks.acquire([folder], run_called(tmp_path, "first"), flock=broken)


def heir(locks: OutputLocks, behaviour: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ADOPT, behaviour],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **locks.environment},
        pass_fds=locks.descriptors,
        start_new_session=True,
    )
