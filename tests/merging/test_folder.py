"""The folder is there whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.machine.room import Disk
from inft.merging import folder as folder_module
from inft.merging.folder import check_free, staged

FILLING = """
import sys
from pathlib import Path
from inft.merging.folder import staged
with staged(Path(sys.argv[1]), 1) as folder:
    (folder / "half").write_text("half")
    print("filling", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fill(output: Path, meanwhile: Callable[[], object]) -> None:
    with staged(output, 1) as folder:
        (folder / "a").write_text("a")
        meanwhile()


def test_it_gets_its_name_at_the_end(tmp_path: Path) -> None:
    output = tmp_path / "new" / "merged"
    with staged(output, 1) as folder:
        (folder / "a").write_text("a")
        assert not output.exists()
    assert names(output) == {"a"}
    assert names(output.parent) == {"merged"}


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "merged", lambda: signal.raise_signal(signal.SIGINT))
    assert names(tmp_path) == set()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "merged"
    with staged(output, 1) as folder:
        (folder / "mine").write_text("a")
        output.mkdir()  # an empty folder is nothing
    with pytest.raises(ConfigError, match="is there already"), staged(output, 1):
        raise AssertionError
    with pytest.raises(ConfigError, match="is there already"):
        check_free(output)
    theirs = tmp_path / "other" / "theirs"
    with pytest.raises(DiskError):
        fill(tmp_path / "other", lambda: (theirs.parent.mkdir(), theirs.write_text("made meanwhile")))
    assert names(tmp_path) == {"merged", "other"}
    assert names(tmp_path / "other") == {"theirs"}


def test_a_killed_one_leaves_no_folder_of_that_name_and_the_next_clears_up(tmp_path: Path) -> None:
    output = tmp_path / "merged"
    with subprocess.Popen(
        [sys.executable, "-c", FILLING, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"filling\n"
        with pytest.raises(ConfigError, match="Another process is writing"), staged(output, 1):
            raise AssertionError
        process.kill()
    assert names(tmp_path) == {".merging-merged"}
    with staged(output, 1) as folder:
        assert names(folder) == set()
    assert names(tmp_path) == {"merged"}


def test_room_is_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"takes 1,024\.0 PiB|takes .* free"), staged(tmp_path / "merged", 1 << 60):
        raise AssertionError
    assert names(tmp_path) == set()
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(DiskError, match="cannot be written"), staged(tmp_path / "closed" / "merged", 1):
            raise AssertionError


def test_what_a_killed_one_left_takes_no_room_from_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".merging-merged" / "model.safetensors"
    left.parent.mkdir()
    left.write_bytes(b"half")

    def full_of_it(folder: Path) -> Disk:
        return Disk(device=0, free_bytes=0 if left.exists() else 1 << 30)

    monkeypatch.setattr(folder_module, "look_at_disk", full_of_it)
    with staged(tmp_path / "merged", 1 << 20) as folder:
        assert names(folder) == set()
