"""Files and folders that a reader, a kill or a power cut never finds half done."""

from __future__ import annotations

import contextlib
import errno
import os
from itertools import count
from pathlib import Path

from inft.errors import disk_error

# What file systems that cannot sync a folder (some network shares, FUSE) answer. They give no better promise anyway.
_FOLDERS_ARE_NOT_SYNCED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Puts `content` at `path` in one step.

    Args:
        path: the file; its folder must exist.
        content: everything it holds afterwards.
        durable: wait until the disk has it. Worth its milliseconds only for what must survive a power cut.

    Raises:
        DiskError: it could not be written; what was there before is still there.
    """
    # One name per process: two writers must not fill the same temporary file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise disk_error(error, path) from error


def sync_file(path: Path) -> None:
    """Waits until the disk has what was written to `path`.

    Raises:
        DiskError: the disk did not take it.
    """
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(error, path) from error


def sync_folder(path: Path) -> None:
    """Waits until the disk has the names in `path`: what was created, renamed and removed there.

    Raises:
        DiskError: the disk did not take it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _FOLDERS_ARE_NOT_SYNCED:
            raise disk_error(error, path) from error


def unused(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, ... that does not exist."""
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))
