"""A file under a new name: in full or not at all, and never over another."""

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft.new_file import create_file


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """As a full disk: what goes beyond `size` bytes is not written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["links", "no links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One on a file system with hard links, and one without."""
    if request.param == "no links":
        monkeypatch.setattr(os, "link", no_links)
    return tmp_path


def test_it_holds_what_it_should_and_nothing_else_is_left(folder: Path) -> None:
    name = "ü" * 127  # as long as a name can be
    create_file(folder / name, b"abc")
    assert (folder / name).read_bytes() == b"abc"
    assert names(folder) == [name]
    assert (folder / name).stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_there_is_not_overwritten(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    (folder / "link").symlink_to("nowhere")
    (folder / "folder").mkdir()
    for name in ("file", "link", "folder"):
        with pytest.raises(FileExistsError):
            create_file(folder / name, b"new")
    assert (folder / "file").read_bytes() == b"old"
    assert names(folder) == ["file", "folder", "link"]


def test_on_a_full_disk_nothing_is_left(folder: Path) -> None:
    with file_size_limit(64), pytest.raises(DiskError, match=r"file: file too large"):
        create_file(folder / "file", bytes(65))
    assert names(folder) == []


def test_where_the_disk_does_not_take_it_nothing_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskError, match="no space left"):
        create_file(folder / "file", b"abc")
    assert names(folder) == []


@pytest.mark.parametrize("name", ["link", "replace"])
def test_where_the_name_cannot_be_given_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "replace":
        monkeypatch.setattr(os, "link", no_links)
        monkeypatch.setattr(Path, "replace", no_space)
    else:
        monkeypatch.setattr(os, "link", no_space)
    with pytest.raises(DiskError, match="no space left"):
        create_file(tmp_path / "file", b"abc")
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="no such file"):
        create_file(tmp_path / "none" / "file", b"")
