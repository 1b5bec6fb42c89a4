"""A folder that is there whole or not at all, whatever ends the program that makes it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inft.errors import ConfigError, DiskError, disk_error
from inft.machine.room import look_at_disk
from inft.merging.record import RECORD
from inft.runs.files import sync_file, sync_folder
from inft.runs.quantities import size

OTHER_FILES_BYTES = 64 << 20
"""Room for everything but the weights: tokenizer.json takes up to 20 MB, the rest far less."""


def check_free(output: Path) -> None:
    """Refuses a name that something has already.

    Raises:
        ConfigError: something is there, and it is more than an empty folder.
    """
    if os.path.lexists(output) and not (output.is_dir() and not output.is_symlink() and not any(output.iterdir())):
        fix = "Move it away, or name another --output."
        if (output / RECORD).is_file():
            fix += " To push it as it is: `inft-tui merge` with that folder, and --push OWNER/NAME."
        raise ConfigError(f"{output} is there already, and is not overwritten.", fix)


def _check_room(output: Path, weights_bytes: int) -> None:
    """Refuses a disk on which the merged model has no room.

    Raises:
        DiskError: too little is free, or nothing can be written there.
    """
    disk = look_at_disk(output.parent)
    if disk is None:
        return
    if disk.problem:
        raise DiskError(f"The merged model cannot be written: {disk.problem}.", "Name another --output.")
    need = weights_bytes + OTHER_FILES_BYTES
    if disk.free_bytes < need:
        raise DiskError(
            f"The merged model takes {size(need)}, and {output.parent} has {size(disk.free_bytes)} free.",
            "Free space there, or name an --output on another disk.",
        )


@contextmanager
def staged(output: Path, weights_bytes: int) -> Iterator[Path]:
    """A folder to fill, which gets the name `output` at the end; if that is not reached, it is deleted.

    It lies beside `output` under a hidden name. What a killed program has left there is cleared away first, and only
    then is it asked whether there is room.

    Args:
        output: its name in the end.
        weights_bytes: what will lie in it, but for small files.

    Raises:
        ConfigError: `output` is taken, or another process is filling it.
        DiskError: it cannot be written, or too little is free.
    """
    staging = output.parent / f".merging-{output.name}"
    try:
        staging.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(staging, output)
    except OSError as error:
        raise disk_error(error, staging) from error
    try:
        check_free(output)
        _clear(staging)
        _check_room(output, weights_bytes)
        yield staging
        for path in staging.rglob("*"):
            if path.is_file():
                sync_file(path)
        sync_folder(staging)
        try:
            staging.rename(output)  # onto an empty folder at most; the system refuses any other
        except OSError as error:
            raise disk_error(error, output) from error
        sync_folder(output.parent)
    except OSError as error:
        raise disk_error(error, error.filename or staging) from error
    finally:
        if _is_open_as(descriptor, staging):
            shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)


def _locked(staging: Path, output: Path) -> int:
    """An open file that keeps others out of `staging` until it is closed, by whatever end of this process.

    Raises:
        ConfigError: somebody else has it.
        OSError: it cannot be opened or locked.
    """
    descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_open_as(descriptor, staging):  # and was not renamed or deleted before it was locked
                return descriptor
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise ConfigError(f"Another process is writing {output}.", "Wait for it, or name another --output.")


def _is_open_as(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
