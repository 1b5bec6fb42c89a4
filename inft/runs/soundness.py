"""How many lines of a run's events cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

_BLOCK_BYTES = 1 << 20


class _AnyObject(msgspec.Struct):
    """Whatever its keys: the quickest way to look whether a line is sound."""


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(_AnyObject)


class BadLines:
    """Counts the lines of a growing file that are no JSON object, and reads none of them twice.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._count = 0
        self._inode = 0

    def count(self, most_bytes: int | None = None) -> int:
        """How many there are in what was read so far; none in a file that cannot be read.

        Args:
            most_bytes: how much is read now, apart from the line that this ends in; None = all that there is.
        """
        try:
            with self._path.open("rb") as file:
                self._begin_anew_if_other(file.fileno())
                file.seek(self._offset)
                end = None if most_bytes is None else self._offset + most_bytes
                while end is None or self._offset < end:
                    lines = file.readlines(_BLOCK_BYTES if most_bytes is None else most_bytes)
                    if not lines or not lines[-1].endswith(b"\n"):
                        lines = lines[:-1]  # nobody knows yet what it becomes
                    if not lines:
                        break
                    self._offset += sum(map(len, lines))
                    self._count += sum(not _is_sound(line) for line in lines)
        except OSError:
            return 0
        return self._count

    def _begin_anew_if_other(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset, self._count = status.st_ino, 0, 0


def bad_lines_words(count: int) -> str:
    """For instance `3 lines of metrics.jsonl could not be read`."""
    return f"{count:,} line{'' if count == 1 else 's'} of metrics.jsonl could not be read"


def _is_sound(line: bytes) -> bool:
    try:
        _DECODER.decode(line)
    except (ValueError, RecursionError):
        if not line.strip():
            return True
        try:
            return isinstance(json.loads(line), dict)  # which takes the bare NaN of other programs
        except (ValueError, RecursionError):
            return False
    return True
