"""The folder of final adapters is one run's, and whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft.runs.locks import INSIDE
from inft.runs.results import Result, read_result
from inft.training.results import put_result, sweep_results

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def put(folder: Path, run_id: str, *lineage: str, busy: Path = Path("/nowhere")) -> Path | None:
    def write(target: Path) -> None:
        (target / "adapter_model.safetensors").write_text(f"of {run_id}")
        (target / "sub").mkdir()
        (target / "sub/file").touch()

    return put_result(folder, Result(run_id, 3), write, lineage=[run_id, *lineage], busy=busy, at=AT)


def content(folder: Path) -> str:
    return (folder / "adapter_model.safetensors").read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_result_of_the_same_lineage_is_replaced(tmp_path: Path) -> None:
    best = tmp_path / "best"
    assert put(best, "one") is None
    assert put(best, "two", "one") is None
    assert (content(best), read_result(best)) == ("of two", Result("two", 3))
    assert names(tmp_path) == ["best"]


def test_anything_else_is_moved_aside(tmp_path: Path) -> None:
    best = tmp_path / "best"
    put(best, "one")
    aside = put(best, "other")
    assert aside == tmp_path / "best-earlier-20260304-050607"
    assert (content(aside), content(best)) == ("of one", "of other")
    (best / "inft-run.json").unlink()  # as an older version left it
    assert put(best, "other") == tmp_path / "best-earlier-20260304-050607-2"


def test_an_empty_folder_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    assert put(tmp_path / "best", "one") is None
    assert names(tmp_path) == ["best"]


def test_a_link_to_another_disk_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "best").symlink_to(tmp_path / "disk/best")
    put(tmp_path / "best", "one")
    put(tmp_path / "best", "two", "one")
    assert (tmp_path / "best").is_symlink()
    assert content(tmp_path / "disk/best") == "of two"


def test_a_folder_with_the_checkpoints_in_it_stays_where_it_is(tmp_path: Path) -> None:
    best, checkpoint = tmp_path / "out", tmp_path / "out/checkpoints/checkpoint-1"
    checkpoint.mkdir(parents=True)
    put(best, "one", busy=best / "checkpoints")
    aside = put(best, "other", busy=best / "checkpoints")
    assert aside == best / "earlier-20260304-050607"
    assert (content(aside), content(best)) == ("of one", "of other")
    put(best, "third", "other", busy=best / "checkpoints")
    assert content(best) == "of third"
    assert checkpoint.is_dir()
    assert not list(best.glob(".*"))


def test_a_failed_write_leaves_the_earlier_result(tmp_path: Path) -> None:
    best = tmp_path / "best"
    put(best, "one")

    def full(target: Path) -> None:
        (target / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskError):
        put_result(best, Result("one", 4), full, lineage=["one"], busy=Path("/nowhere"), at=AT)
    assert content(best) == "of one"
    assert names(tmp_path) == ["best"]


def test_what_a_killed_run_left_half_written_is_swept(tmp_path: Path) -> None:
    best = tmp_path / "best"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tests.training.test_results import *\n"
        "def killed(target):\n    (target / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"put_result(Path({str(best)!r}), Result('a', 1), killed, lineage=['a'], busy=Path('/nowhere'), at=AT)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == [".saving-a-best"]
    assert sweep_results(best) == []
    assert names(tmp_path) == []


@pytest.mark.parametrize("whole", ["new", "old"])
def test_a_run_killed_between_the_two_renames_loses_neither_result(tmp_path: Path, whole: str) -> None:
    """Only one of the names is free at a time; the next start gives it to whatever is whole."""
    best = tmp_path / "best"
    put(best, "one")
    best.rename(tmp_path / ".deleting-best-77")
    put(best, "two", "one")
    best.rename(tmp_path / ".saving-two-best")
    if whole == "old":
        (tmp_path / ".saving-two-best/inft-run.json").unlink()
    assert sweep_results(best) == []
    assert content(best) == ("of two" if whole == "new" else "of one")
    assert names(tmp_path) == ["best"]


def test_a_lock_that_lies_in_the_folder_stays_there(tmp_path: Path) -> None:
    best = tmp_path / "best"
    put(best, "one", busy=best / "checkpoints")
    (best / INSIDE).touch()
    put(best, "other", busy=best / "checkpoints")
    assert (best / INSIDE).exists()


@pytest.mark.parametrize("as_a_whole", [True, False])
def test_a_replaced_result_that_cannot_be_deleted_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_a_whole: bool
) -> None:
    """As on a network disk, where somebody still reads it."""
    best = tmp_path / "best"
    busy = Path("/nowhere") if as_a_whole else best / "checkpoints"
    put(best, "one", busy=busy)
    unlink = os.unlink

    def held(name: str, **kwargs: int | None) -> None:
        if Path(name).name == "file":
            raise OSError(errno.EBUSY, "Device or resource busy")
        unlink(name, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", held)
        put(best, "two", "one", busy=busy)
        assert content(best) == "of two"
        (left,) = sweep_results(best)
        assert left.name.startswith(".deleting-best-")
    assert sweep_results(best) == []
    assert names(tmp_path) == ["best"]
    assert names(best) == ["adapter_model.safetensors", "inft-run.json", "sub"]
