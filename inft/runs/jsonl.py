"""JSON lines that one process appends and others read at the same time.

The writer produces strict JSON and never leaves half a line with more behind it. The reader expects worse: lines of
other programs, a half-written end, a file cut off or replaced while it is being followed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, SupportsFloat, TypeAlias

import msgspec

from inft.errors import disk_error
from inft.runs.redact import storable

Record: TypeAlias = dict[str, object]
"""One line: what JSON calls an object."""

NONFINITE = "nonfinite"
"""The key that lists which numbers of a line were NaN or infinite, and therefore stand there as null."""

MAX_LINE_BYTES = 16 << 20
"""A longer line is not one of ours (a step's line has 500 bytes); it is dropped rather than held in memory."""


def strict(record: Mapping[str, object]) -> Record:
    """`record` as plain JSON values: tokens redacted, non-finite numbers null and named under `nonfinite`.

    Numbers of NumPy and torch become Python's. A non-finite number inside a list or a nested object becomes null and
    is named by its outermost key.

    Raises:
        TypeError: a value that JSON cannot express.
    """
    missing: list[str] = []
    plain: Record = {}
    for key, value in record.items():
        found: list[float] = []
        plain[storable(key)] = _plain(value, found)
        if found:
            missing.append(storable(key))
    if missing:
        already = plain.get(NONFINITE)
        known = already if isinstance(already, list) else []
        plain[NONFINITE] = [*known, *(key for key in missing if key not in known)]
    return plain


class JsonlLogger:
    """Appends records to a file, each as one whole line in one write.

    Safe to share between the threads of one process. A file belongs to one process.

    Args:
        path: the file; made if it does not exist.

    Raises:
        DiskError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._torn = self._ends_within_a_line()
        except OSError as error:
            raise disk_error(error, path) from error

    def write(self, record: Mapping[str, object]) -> None:
        """Appends `record`.

        Raises:
            DiskError: the line could not be written whole; nothing of it stays in the file.
            TypeError: a value that JSON cannot express.
        """
        line = msgspec.json.encode(strict(record)) + b"\n"
        with self._lock:
            self._append(b"\n" + line if self._torn else line)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> JsonlLogger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        try:
            start = os.fstat(self._descriptor).st_size
            try:
                written = os.write(self._descriptor, line)
                if written < len(line):
                    # A nearly full disk takes part of a line; only asking again brings its reason.
                    written += os.write(self._descriptor, line[written:])
                if written < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._cut_back_to(start)
                raise
        except OSError as error:
            raise disk_error(error, self._path) from error
        self._torn = False

    def _cut_back_to(self, start: int) -> None:
        try:
            os.ftruncate(self._descriptor, start)
        except OSError:
            self._torn = True

    def _ends_within_a_line(self) -> bool:
        """Whether an earlier writer was killed in the middle of its last line."""
        end = os.fstat(self._descriptor).st_size
        return end > 0 and os.pread(self._descriptor, 1, end - 1) != b"\n"


@dataclass(frozen=True)
class Line:
    """One line that was read.

    Attributes:
        text: strict JSON without the newline; the file's own bytes unless they held a bare NaN.
        record: the same, decoded.
    """

    text: str
    record: Record


@dataclass(frozen=True)
class Chunk:
    """What one look at a growing file brought.

    Attributes:
        lines: the whole lines since the last look.
        skipped: how many lines were no JSON object.
        more: whether the look ended before the file did.
        restarted: whether the file was cut off or replaced, so that these lines begin anew.
    """

    lines: tuple[Line, ...] = ()
    skipped: int = 0
    more: bool = False
    restarted: bool = False


class JsonlReader:
    """Reads a growing file bit by bit; a line without its newline waits for the rest.

    Args:
        path: the file; it need not exist yet, and may be a link that later points elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._offset = 0
        self._rest = b""
        self._overlong = False
        self._replaced = False

    def read(self, max_bytes: int = 1 << 20) -> Chunk:
        """The lines that were completed since the last call, from at most `max_bytes` of the file.

        Raises:
            OSError: the file is there and cannot be read.
        """
        restarted = self._reopen_if_replaced()
        if self._file is None:
            return Chunk(restarted=restarted)
        length = os.fstat(self._file.fileno()).st_size
        if length < self._offset:
            restarted = True
            self._rewind()
        data = os.pread(self._file.fileno(), max_bytes, self._offset)
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._overlong and whole:
            whole, self._overlong = whole[1:], False
            skipped = 1
        else:
            skipped = 0
        if len(self._rest) > MAX_LINE_BYTES or self._overlong:
            self._rest, self._overlong = b"", True
        lines: list[Line] = []
        for raw in whole:
            if not raw.strip():
                continue
            line = _parse(raw)
            if line is None:
                skipped += 1
            else:
                lines.append(line)
        return Chunk(tuple(lines), skipped, more=self._offset < length or self._has_successor(), restarted=restarted)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> JsonlReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _reopen_if_replaced(self) -> bool:
        """Opens the file that now has the name, once the one before it was read to its end."""
        if self._file is not None:
            if not self._has_successor() or os.fstat(self._file.fileno()).st_size > self._offset:
                return False
            self.close()
            self._rewind()
            self._replaced = True
        with contextlib.suppress(FileNotFoundError):
            self._file = self._path.open("rb", buffering=0)
        if self._file is None:
            return False
        replaced, self._replaced = self._replaced, False
        return replaced

    def _has_successor(self) -> bool:
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)

    def _rewind(self) -> None:
        self._offset, self._rest, self._overlong = 0, b"", False


def _plain(value: object, found: list[float]) -> object:
    """`value` as JSON knows it; the non-finite numbers met on the way are added to `found`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, os.PathLike):
        return storable(str(value))
    if isinstance(value, Mapping):
        return {storable(str(key)): _plain(item, found) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, found) for item in value]
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, SupportsFloat):
        number = float(value)
        if math.isfinite(number):
            return number
        found.append(number)
        return None
    raise TypeError(f"A {type(value).__name__} cannot be written as JSON.")


def _parse(raw: bytes) -> Line | None:
    try:
        record = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return _parse_leniently(raw)
    if not isinstance(record, dict):
        return None
    return Line(raw.decode("utf-8").strip(), record)


def _parse_leniently(raw: bytes) -> Line | None:
    """Lines of other programs may hold bare NaN and Infinity, which Python's own parser accepts."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    record = strict(record)
    return Line(msgspec.json.encode(record).decode("utf-8"), record)
