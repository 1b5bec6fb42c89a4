"""Replacing a small file as a whole, so that no reader ever sees half of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from inft.errors import disk_error


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
