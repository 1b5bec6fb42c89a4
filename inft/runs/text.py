"""The lines of `console.log`, from any place near its end on, and those to come."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LONGEST_LINE_BYTES = 1 << 20
"""A longer line is no text for a person; only what comes after it is kept."""


class TextReader:
    """Reads a growing text file bit by bit; a line without its newline waits for the rest.

    Args:
        path: the file; it need not exist yet.
        last_bytes: begin with the first whole line that lies so near the end of what is there now; None = with the
            first line.

    Raises:
        OSError: the file is there and cannot be read.
    """

    def __init__(self, path: Path, last_bytes: int | None = None) -> None:
        self._path = path
        self._descriptor = -1
        self._offset = 0
        self._rest = b""
        self._open()
        if self._descriptor >= 0 and last_bytes is not None:
            # One byte more: if that is a newline, a line begins right behind it.
            self._offset = max(0, os.fstat(self._descriptor).st_size - last_bytes - 1)
        self.from_start = self._offset == 0
        """Whether nothing was left out."""
        self._begun = self.from_start

    def read(self, max_bytes: int = 1 << 20) -> list[bytes]:
        """The lines that were completed since the last call, without their newlines; none = nothing is new.

        A file that was cut off is read from its beginning.

        Raises:
            OSError: the file is there and cannot be read.
        """
        if self._descriptor < 0:
            self._open()
            if self._descriptor < 0:
                return []
        while True:
            if os.fstat(self._descriptor).st_size < self._offset:
                self._offset, self._rest, self._begun = 0, b"", True
            data = os.pread(self._descriptor, max_bytes, self._offset)
            self._offset += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            if lines and not self._begun:
                self._begun = True
                del lines[0]  # what we came into the middle of
            self._rest = self._rest[-LONGEST_LINE_BYTES:]
            if lines or not data:
                return lines

    def close(self) -> None:
        """Lets go of the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
