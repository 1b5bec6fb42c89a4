"""Files that the console writes: each under a name of its own, in full or not at all."""

import os
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft_tui.new_files import write_new
from tests.test_new_file import file_size_limit, names, no_space


def test_names_that_are_taken_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "charts"
    written = [write_new(folder, "Loss, %", "csv", f"é{number}") for number in range(3)]
    assert [path.name for path in written] == ["loss.csv", "loss-2.csv", "loss-3.csv"]
    assert [path.read_text(encoding="utf-8") for path in written] == ["é0", "é1", "é2"]


def test_a_name_that_is_taken_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loss.csv").write_text("theirs")
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    assert write_new(tmp_path, "loss", "csv", "ours").name == "loss-2.csv"
    assert (tmp_path / "loss.csv").read_text() == "theirs"


def test_after_a_full_disk_the_name_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with file_size_limit(64), pytest.raises(DiskError, match=r"loss\.csv: file too large"):
        write_new(tmp_path, "loss", "csv", "x" * 65)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(DiskError, match=r"loss\.csv: no space left"):
            write_new(tmp_path, "loss", "csv", "x")
    assert names(tmp_path) == []
    assert write_new(tmp_path, "loss", "csv", "x").name == "loss.csv"


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_is_a_file_is_said(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="not a directory"):
        write_new(tmp_path / folder, "loss", "csv", "x")
