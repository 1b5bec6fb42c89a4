from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inft.errors import DataError, DiskError
from inft.runs.checkpoints import (
    MANIFEST,
    Checkpoint,
    commit,
    complete_checkpoints,
    incomplete_checkpoints,
    newest,
    newest_sound,
    read_complete,
    remove,
    rotate,
    set_aside,
    staging_folder,
    sweep,
    verify,
)

RUN = "small-20250301-120000"
FILES = {"adapter_model.safetensors": b"weights" * 1000, "optimizer.pt": b"moments" * 2000, "rng/rng_state.pth": b"r"}


def stage(output_dir: Path, step: int, run_id: str = RUN) -> Path:
    folder = staging_folder(output_dir, run_id) / f"checkpoint-{step}"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content + str(step).encode())
    return folder


def make(output_dir: Path, step: int, run_id: str = RUN) -> Checkpoint:
    return commit(stage(output_dir, step, run_id), output_dir / f"checkpoint-{step}", run_id=run_id, step=step)


def steps(checkpoints: list[Checkpoint]) -> list[int]:
    return [checkpoint.step for checkpoint in checkpoints]


def spoil(checkpoint: Checkpoint) -> None:
    """Changes one bit of it."""
    path = checkpoint.path / "optimizer.pt"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


class TestCommit:
    def test_it_is_there_with_everything_and_nothing_else_is(self, tmp_path: Path) -> None:
        made = make(tmp_path, 7)
        assert made == Checkpoint(tmp_path / "checkpoint-7", 7, RUN) == read_complete(tmp_path / "checkpoint-7")
        verify(made)
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-7"]
        manifest = json.loads((made.path / MANIFEST).read_text())
        assert (manifest["schema_version"], manifest["run_id"], manifest["step"]) == (1, RUN, 7)
        assert set(manifest["files"]) == set(FILES)
        assert set(manifest["files"]["rng/rng_state.pth"]) == {"bytes", "crc32"}

    def test_until_then_it_is_not(self, tmp_path: Path) -> None:
        stage(tmp_path, 7)
        assert complete_checkpoints(tmp_path) == []
        assert read_complete(tmp_path / "checkpoint-7") is None

    def test_a_damaged_folder_of_that_name_is_moved_away(self, tmp_path: Path) -> None:
        damaged = make(tmp_path, 7).path
        (damaged / "optimizer.pt").write_bytes(b"")
        (damaged / MANIFEST).unlink()
        made = make(tmp_path, 7)
        verify(made)
        (moved,) = tmp_path.glob("earlier-*/checkpoint-7")
        assert (moved / "optimizer.pt").read_bytes() == b""
        assert complete_checkpoints(tmp_path) == [made]

    def test_another_runs_checkpoint_of_that_name_is_kept(self, tmp_path: Path) -> None:
        make(tmp_path, 7, "other")
        make(tmp_path, 7)
        assert [(found.run_id, found.path.parent == tmp_path) for found in complete_checkpoints(tmp_path)] == [
            ("other", False),
            (RUN, True),
        ]

    def test_the_same_runs_is_replaced(self, tmp_path: Path) -> None:
        make(tmp_path, 7)
        make(tmp_path, 7)
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-7"]

    def test_a_link_of_that_name_is_moved_away_and_what_it_points_at_stays(self, tmp_path: Path) -> None:
        elsewhere = make(tmp_path / "elsewhere", 7, "other")
        (tmp_path / "checkpoint-7").symlink_to(elsewhere.path)
        made = make(tmp_path, 7)
        verify(elsewhere)
        verify(made)
        assert not made.path.is_symlink()

    def test_an_output_folder_that_is_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "outputs").symlink_to("disk")
        for step in (1, 2, 3):
            make(tmp_path / "outputs", step)
        rotate(tmp_path / "outputs", run_ids=[RUN], keep=1, best=tmp_path / "disk" / "checkpoint-2")
        assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["checkpoint-2", "checkpoint-3"]

    def test_a_full_disk_is_said_and_leaves_no_checkpoint(self, tmp_path: Path) -> None:
        folder = stage(tmp_path, 7)
        with file_size_limit(64), pytest.raises(DiskError, match=MANIFEST):
            commit(folder, tmp_path / "checkpoint-7", run_id=RUN, step=7)
        assert read_complete(tmp_path / "checkpoint-7") is None
        assert not (tmp_path / "checkpoint-7").exists()

    def test_a_disk_that_does_not_take_it_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = stage(tmp_path, 7)
        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(DiskError, match="input/output error"):
            commit(folder, tmp_path / "checkpoint-7", run_id=RUN, step=7)
        assert not (tmp_path / "checkpoint-7").exists()

    def test_where_the_name_cannot_be_given_the_old_one_stays(self, tmp_path: Path) -> None:
        old = make(tmp_path / "outputs", 7, "other")
        with pytest.raises(DiskError):
            commit(empty_folder_that_goes(tmp_path), old.path, run_id=RUN, step=7)
        verify(old)


class TestReading:
    def test_what_is_missing_or_cut_short_is_noticed(self, tmp_path: Path) -> None:
        for name in FILES:
            path = make(tmp_path, 3).path
            content = (path / name).read_bytes()
            (path / name).write_bytes(content[:-1])
            assert read_complete(path) is None
            (path / name).unlink()
            assert read_complete(path) is None
            assert incomplete_checkpoints(tmp_path) == [path]
            shutil.rmtree(path)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"\xff\x00",
            b'{"schema_version": 1, "run_id": "r", "step": "x", "created": "", "files": {}}',
            b'{"schema_version": 2, "run_id": "r", "step": 3, "created": "", "files": {}}',
            b'{"schema_version":1, "run_id":"r", "step":3, "created":"", "files":{"../x":{"bytes":1,"crc32":1}}}',
            b'{"schema_version":1, "run_id":"r", "step":3, "created":"", "files":{"a\\u0000":{"bytes":1,"crc32":1}}}',
        ],
    )
    def test_a_damaged_manifest_is_none(self, tmp_path: Path, content: bytes) -> None:
        path = make(tmp_path, 3).path
        (tmp_path / "x").write_bytes(b"x")
        (path / MANIFEST).write_bytes(content)
        assert read_complete(path) is None
        with pytest.raises(DataError, match=MANIFEST):
            verify(Checkpoint(path, 3, RUN))

    def test_a_changed_byte_is_found_by_verify_alone(self, tmp_path: Path) -> None:
        checkpoint = make(tmp_path, 3)
        spoil(checkpoint)
        assert read_complete(checkpoint.path) == checkpoint
        with pytest.raises(DataError, match=r"checkpoint-3 is damaged: optimizer\.pt does not hold"):
            verify(checkpoint)

    def test_a_file_that_went_since_is_found_by_verify(self, tmp_path: Path) -> None:
        checkpoint = make(tmp_path, 3)
        (checkpoint.path / "optimizer.pt").unlink()
        with pytest.raises(DataError, match=r"optimizer\.pt is missing"):
            verify(checkpoint)

    def test_a_folder_in_the_place_of_a_file(self, tmp_path: Path) -> None:
        checkpoint = make(tmp_path, 3)
        (checkpoint.path / "optimizer.pt").unlink()
        (checkpoint.path / "optimizer.pt").mkdir()
        assert read_complete(checkpoint.path) is None

    def test_the_newest_of_the_first_run_that_has_any(self, tmp_path: Path) -> None:
        for step, run_id in ((2, "first"), (10, "first"), (30, "first"), (12, "second"), (99, "stranger")):
            make(tmp_path, step, run_id)
        (tmp_path / "checkpoint-30" / MANIFEST).unlink()
        assert newest(tmp_path, ["third", "second", "first"]) == Checkpoint(tmp_path / "checkpoint-12", 12, "second")
        assert newest(tmp_path, ["first"]) == Checkpoint(tmp_path / "checkpoint-10", 10, "first")
        assert newest(tmp_path, ["third"]) is None
        assert newest(tmp_path / "nowhere", ["first"]) is None

    def test_the_newest_sound_one_is_not_the_newest_where_that_is_damaged(self, tmp_path: Path) -> None:
        made = [make(tmp_path, step) for step in (1, 2, 3)]
        older = make(tmp_path, 9, "before")
        assert newest_sound(tmp_path, [RUN, "before"]) == (made[2], [])
        spoil(made[2])
        found, problems = newest_sound(tmp_path, [RUN, "before"])
        assert found == made[1]
        assert [problem.message.split(" is ")[0] for problem in problems] == [f"Checkpoint {made[2].path}"]
        spoil(made[0])
        spoil(made[1])
        found, problems = newest_sound(tmp_path, [RUN, "before"])
        assert found == older
        assert len(problems) == 3
        assert newest_sound(tmp_path, [RUN])[0] is None

    def test_what_was_moved_aside_is_found(self, tmp_path: Path) -> None:
        for step in (5, 40):
            set_aside(make(tmp_path, step).path)
        make(tmp_path, 20)
        assert steps(complete_checkpoints(tmp_path)) == [5, 20, 40]
        found = newest(tmp_path, [RUN])
        assert found is not None
        assert found.path.parent.name.startswith("earlier-")

    def test_neither_files_nor_other_folders_are_checkpoints(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint-1").write_text("")
        (tmp_path / "checkpoint-best").mkdir()
        make(tmp_path, 2).path.rename(tmp_path / "mine")
        assert complete_checkpoints(tmp_path) == []
        assert incomplete_checkpoints(tmp_path) == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_what_may_not_be_read_is_said(self, tmp_path: Path) -> None:
        path = make(tmp_path, 3).path
        path.chmod(0)
        try:
            with pytest.raises(DiskError, match=r"Could not read .*: permission denied\."):
                complete_checkpoints(tmp_path)
        finally:
            path.chmod(0o700)

    def test_what_the_disk_does_not_give_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path, 3)
        monkeypatch.setattr(Path, "read_bytes", fails)
        with pytest.raises(
            DiskError, match=r"Could not read .*checkpoint-3/inft-checkpoint\.json: input/output error\."
        ):
            complete_checkpoints(tmp_path)


class TestRotation:
    def test_the_newest_and_the_best_stay(self, tmp_path: Path) -> None:
        for step in (1, 2, 3, 10):
            make(tmp_path, step)
        removed = rotate(tmp_path, run_ids=[RUN], keep=2, best=tmp_path / "checkpoint-1")
        assert sorted(path.name for path in removed) == ["checkpoint-2", "checkpoint-3"]
        assert steps(complete_checkpoints(tmp_path)) == [1, 10]

    def test_to_keep_one_keeps_the_newest_beside_the_best(self, tmp_path: Path) -> None:
        for step in (1, 2, 3):
            make(tmp_path, step)
        rotate(tmp_path, run_ids=[RUN], keep=1, best=tmp_path / "checkpoint-2")
        assert steps(complete_checkpoints(tmp_path)) == [2, 3]
        rotate(tmp_path, run_ids=[RUN], keep=1, best=tmp_path / "checkpoint-3")
        assert steps(complete_checkpoints(tmp_path)) == [3]

    def test_only_these_runs_checkpoints_go(self, tmp_path: Path) -> None:
        make(tmp_path, 1, "stranger")
        for step in (2, 3, 4):
            make(tmp_path, step, "ancestor" if step == 2 else RUN)
        aside = set_aside(make(tmp_path, 5).path)
        copy = Path(shutil.copytree(tmp_path / "checkpoint-3", tmp_path / "checkpoint-3-copy"))
        (tmp_path / "checkpoint-6").mkdir()
        (tmp_path / "checkpoint-6" / "mine.txt").write_text("mine")
        rotate(tmp_path, run_ids={"ancestor", RUN}, keep=1, best=None)
        assert [found.path for found in complete_checkpoints(tmp_path)] == [
            tmp_path / "checkpoint-1",
            copy,
            tmp_path / "checkpoint-4",
            aside,
        ]
        assert (tmp_path / "checkpoint-6" / "mine.txt").exists()

    def test_few_enough_all_stay(self, tmp_path: Path) -> None:
        make(tmp_path, 1)
        assert rotate(tmp_path, run_ids=[RUN], keep=2, best=None) == []
        assert rotate(tmp_path / "nowhere", run_ids=[RUN], keep=2, best=None) == []


class TestRemoving:
    def test_it_goes_and_a_second_call_does_nothing(self, tmp_path: Path) -> None:
        path = make(tmp_path, 1).path
        remove(path)
        remove(path)
        assert list(tmp_path.iterdir()) == []

    def test_of_a_link_only_the_link_goes(self, tmp_path: Path) -> None:
        checkpoint = make(tmp_path / "disk", 1)
        (tmp_path / "checkpoint-1").symlink_to(checkpoint.path)
        remove(tmp_path / "checkpoint-1")
        verify(checkpoint)

    def test_sweeping_takes_what_was_left_half(self, tmp_path: Path) -> None:
        stage(tmp_path, 3)
        stage(tmp_path, 4, "other")
        make(tmp_path, 2).path.rename(tmp_path / ".deleting-checkpoint-2-1")
        kept = make(tmp_path, 1)
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [kept.path]
        sweep(tmp_path / "nowhere")

    def test_what_cannot_be_deleted_is_left_to_the_next_sweep(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make(tmp_path, 1).path
        unlink = os.unlink

        def held(name: str, **kwargs: int | None) -> None:
            if Path(name).name == "optimizer.pt":
                raise OSError(errno.EBUSY, "Device or resource busy")
            unlink(name, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", held)
            remove(path)
            assert complete_checkpoints(tmp_path) == []
            (left,) = sweep(tmp_path)
            assert left.name.startswith(".deleting-")
            make(tmp_path, 1)  # and nobody is in the way
        assert sweep(tmp_path) == []
        assert [found.name for found in tmp_path.iterdir()] == ["checkpoint-1"]


class TestKilled:
    """Real processes, killed at moments spread over everything that they do."""

    def test_under_its_name_a_checkpoint_is_always_complete(self, tmp_path: Path) -> None:
        luck = random.Random(20250301)
        for number in range(30):
            output_dir = tmp_path / str(number)
            output_dir.mkdir()
            promised = kill(
                lambda told, where=output_dir: keep_saving(where, told),
                after_telling=luck.randrange(4),
                seconds=luck.uniform(0.0, 0.02),
            )
            complete = complete_checkpoints(output_dir)
            for checkpoint in complete:
                verify(checkpoint)
            # The rotation of the next step may have got to the one before the last two.
            assert set(promised[-2:]) <= {checkpoint.step for checkpoint in complete}
            assert incomplete_checkpoints(output_dir) == []
            sweep(output_dir)
            assert {path.name for path in output_dir.iterdir()} == {checkpoint.path.name for checkpoint in complete}
            make(output_dir, 1000)

    def test_one_that_replaces_another_never_leaves_neither(self, tmp_path: Path) -> None:
        luck = random.Random(20250302)
        make(tmp_path, 7)
        for _ in range(25):
            kill(lambda told: keep_replacing(tmp_path, told), luck.randrange(2), luck.uniform(0.0, 0.02))
            checkpoint = newest(tmp_path, [RUN])
            assert checkpoint is not None
            verify(checkpoint)
            assert incomplete_checkpoints(tmp_path) == []


def keep_saving(output_dir: Path, told: Callable[[int], None]) -> None:
    for step in range(1, 1000):
        make(output_dir, step)
        told(step)
        rotate(output_dir, run_ids=[RUN], keep=2, best=None)


def keep_replacing(output_dir: Path, told: Callable[[int], None]) -> None:
    while True:
        make(output_dir, 7)
        told(7)


def kill(work: Callable[[Callable[[int], None]], None], after_telling: int, seconds: float) -> list[int]:
    """Runs `work` in a process of its own and kills that, some time after it has told so many numbers; what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            work(lambda number: os.write(writing, number.to_bytes(4, "big")) and None)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read(4 * after_telling)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        told += pipe.read()
    return [int.from_bytes(told[at : at + 4], "big") for at in range(0, len(told), 4)]


def fails(*arguments: object) -> bytes:
    raise OSError(5, "Input/output error")


def empty_folder_that_goes(tmp_path: Path) -> Path:
    """A staged folder that is on another disk, as far as the kernel's answer goes: it cannot be renamed to there."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    folder = shared / f"inft-test-{os.getpid()}"
    folder.mkdir()
    return folder


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
