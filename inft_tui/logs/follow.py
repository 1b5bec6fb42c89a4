"""A file that others write, looked at again and again: as it grows, is cut off, or is replaced by another."""

from __future__ import annotations

import contextlib
import os
from enum import Enum
from pathlib import Path

_FINGERPRINT_BYTES = 256


class Change(Enum):
    """What happened to a file since the last look."""

    NONE = "none"
    GREW = "grew"
    RESTARTED = "restarted"
    """What was known of it no longer holds: it was cut off, or another file has its name."""


class GrowingFile:
    """Bytes of a file as of the last `refresh`.

    Attributes:
        size: bytes that there were.
        generation: how often the file has begun anew; what was learnt of another generation does not hold.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.generation = 0
        self._descriptor = -1
        self._before_end = b""  # the last bytes before `size`: a file cut off and grown again has others there

    def refresh(self) -> Change:
        """Looks at the file again, at the cost of two system calls if nothing happened.

        Raises:
            OSError: the file is there and cannot be read.
        """
        restarted = False
        if self._descriptor >= 0 and self._has_successor():
            self.close()
            restarted = True
        if self._descriptor < 0:
            with contextlib.suppress(FileNotFoundError):
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            if self._descriptor < 0:
                return self._restart() if restarted else Change.NONE
        size = os.fstat(self._descriptor).st_size
        if not restarted:
            if size == self.size:
                return Change.NONE
            restarted = size < self.size or not self._still_holds_what_was_seen()
        if restarted:
            self._restart()
        grew = size > self.size
        self.size = size
        self._before_end = self._fingerprint()
        if restarted:
            return Change.RESTARTED
        return Change.GREW if grew else Change.NONE

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`; fewer where the file was cut off meanwhile.

        Raises:
            OSError: the disk or the network failed.
        """
        end = min(end, self.size)
        if self._descriptor < 0 or start >= end:
            return b""
        return os.pread(self._descriptor, end - start, start)

    def close(self) -> None:
        """Lets go of the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _restart(self) -> Change:
        self.size, self._before_end = 0, b""
        self.generation += 1
        return Change.RESTARTED

    def _fingerprint(self) -> bytes:
        return self.read(max(0, self.size - _FINGERPRINT_BYTES), self.size)

    def _still_holds_what_was_seen(self) -> bool:
        return self._fingerprint() == self._before_end

    def _has_successor(self) -> bool:
        """Whether another file has the name now; one that was only removed can still be read."""
        try:
            now = os.stat(self.path)
        except OSError:
            return False
        mine = os.fstat(self._descriptor)
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
