"""Room on the disk that is given up when it is full, so that the run's end can still be written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from inft.errors import disk_error

RESERVE_BYTES = 64 << 10
"""The last status and the last events take a few kilobytes; file systems hand out blocks of 4 to 64."""


class Reserve:
    """A file of random bytes, which no file system can store in less.

    Args:
        path: where.

    Raises:
        DiskError: there is no room for it even now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("wb") as file:
                file.write(os.urandom(RESERVE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.release()
            raise disk_error(error, path) from error

    def release(self) -> None:
        """Gives the room up; a second call does nothing."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
