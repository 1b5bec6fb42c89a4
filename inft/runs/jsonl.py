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

_FINGERPRINT_BYTES = 256
_TAIL_BLOCK_BYTES = 64 << 10
_DECODER = msgspec.json.Decoder(dict[str, object])


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

    Safe to share between the threads of one process. A file belongs to one process; what others append all the same
    costs no line of ours.

    Args:
        path: the file; made if it does not exist.

    Raises:
        DiskError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._end = os.fstat(self._descriptor).st_size
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
            self._append(line)

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
            if start != self._end:  # somebody else was here
                self._torn = self._ends_within_a_line()
            whole = b"\n" + line if self._torn else line
            try:
                written = os.write(self._descriptor, whole)
                if written < len(whole):
                    # A nearly full disk takes part of a line; only asking again brings its reason.
                    written += os.write(self._descriptor, whole[written:])
                if written < len(whole):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._cut_back_to(start)
                raise
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._end = start + len(whole)
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


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line that was read; made 300,000 times a second, hence no dataclass.

    Attributes:
        raw: strict JSON without the newline; the file's own bytes unless they held a bare NaN.
        record: the same, decoded.
    """

    raw: bytes
    record: Record

    @property
    def text(self) -> str:
        """`raw` as text."""
        return self.raw.decode("utf-8")


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


@dataclass(frozen=True)
class _Place:
    """A place in a file, and how to tell later that what lies before it is still the same.

    Attributes:
        offset: bytes before it.
        before: the last of them, `_FINGERPRINT_BYTES` at most. Our lines differ from one another in every moment's
            `ts` and figures, so a file that was cut off and has grown again does not hold them at the same place.
    """

    offset: int = 0
    before: bytes = b""

    def after(self, data: bytes) -> _Place:
        """The place behind `data`, which follows here."""
        return _Place(self.offset + len(data), (self.before + data[-_FINGERPRINT_BYTES:])[-_FINGERPRINT_BYTES:])


class JsonlReader:
    """Reads a growing file bit by bit; a line without its newline waits for the rest.

    Args:
        path: the file; it need not exist yet, and may be a link that later points elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._replaced = False
        self._start_at(_Place())

    @classmethod
    def at_tail(cls, path: Path, lines: int) -> JsonlReader:
        """A reader whose first lines are the last `lines` whole ones that `path` holds now; it goes on from there.

        Only that much of the file's end is read. Lines that are no JSON object count too.

        Raises:
            OSError: the file is there and cannot be read.
        """
        reader = cls(path)
        reader._reopen_if_replaced()
        if reader._file is not None:
            descriptor = reader._file.fileno()
            offset = _start_of_last_lines(descriptor, lines)
            length = min(offset, _FINGERPRINT_BYTES)
            reader._start_at(_Place(offset, os.pread(descriptor, length, offset - length)))
        return reader

    def read(self, max_bytes: int = 1 << 20) -> Chunk:
        """The lines that were completed since the last call, from at most `max_bytes` of the file.

        Raises:
            OSError: the file is there and cannot be read.
        """
        restarted = self._reopen_if_replaced()
        if self._file is None:
            return Chunk(restarted=restarted)
        lines: list[Line] = []
        data = self._read_on(max_bytes)
        if data is None:
            restarted |= self._step_back()
            data = self._read_on(max_bytes) or b""
        skipped = self._take(data, lines)
        if not data and self._rest and self._has_successor():
            # Nobody will end this line: its file was replaced before it had a newline.
            skipped += _parse([self._rest], lines)
            self._start_at(self._seen)
        more = os.fstat(self._file.fileno()).st_size > self._seen.offset or self._has_successor()
        return Chunk(tuple(lines), skipped, more=more, restarted=restarted)

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

    def _start_at(self, place: _Place) -> None:
        self._whole = place  # behind the last whole line
        self._seen = place  # behind all that was read
        self._rest = b""  # what lies between the two, unless it is an overlong line
        self._overlong = False

    def _read_on(self, max_bytes: int) -> bytes | None:
        """What follows on what was seen; None if what was seen is no longer there."""
        assert self._file is not None
        before = self._seen.before
        data = os.pread(self._file.fileno(), len(before) + max_bytes, self._seen.offset - len(before))
        return data[len(before) :] if data.startswith(before) else None

    def _step_back(self) -> bool:
        """Returns to the last whole line if only a half one behind it was taken back, else to the file's start.

        A writer takes half a line back when the disk was too full for the rest.

        Returns:
            Whether lines that were already read come again.
        """
        self._start_at(self._whole)
        if self._read_on(1) is not None:
            return False
        self._start_at(_Place())
        return True

    def _take(self, data: bytes, lines: list[Line]) -> int:
        """Adds the lines that `data` completes to `lines`; how many others it completes."""
        if not data:
            return 0
        whole_bytes = data.rfind(b"\n") + 1
        if whole_bytes:
            self._whole = self._seen.after(data[:whole_bytes])
        self._seen = self._seen.after(data)
        *whole, self._rest = (self._rest + data if self._rest else data).split(b"\n")
        skipped = 0
        if self._overlong and whole:
            del whole[0]
            self._overlong = False
            skipped = 1
        if len(self._rest) > MAX_LINE_BYTES or self._overlong:
            self._rest, self._overlong = b"", True
        return skipped + _parse(whole, lines)

    def _reopen_if_replaced(self) -> bool:
        """Opens the file that now has the name, once the one before it was read to its end."""
        if self._file is not None:
            unread = os.fstat(self._file.fileno()).st_size > self._seen.offset
            if unread or self._rest or not self._has_successor():
                return False
            self.close()
            self._start_at(_Place())
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


def _plain(value: object, found: list[float]) -> object:
    """`value` as JSON knows it; the non-finite numbers met on the way are added to `found`."""
    if type(value) is float and math.isfinite(value):
        return value  # most values are such; asking for abstract types costs 20 times as much
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


def _parse(whole: list[bytes], lines: list[Line]) -> int:
    """Adds what of `whole` is a JSON object to `lines`; how many others there are, empty ones not counted."""
    decode = _DECODER.decode
    skipped = 0
    for line in whole:
        raw = line.strip()
        if not raw:
            continue
        try:
            lines.append(Line(raw, decode(raw)))
        except (ValueError, RecursionError):
            lenient = _parse_leniently(raw)
            if lenient is None:
                skipped += 1
            else:
                lines.append(lenient)
    return skipped


def _parse_leniently(raw: bytes) -> Line | None:
    """Lines of other programs may hold bare NaN and Infinity, which Python's own parser accepts."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    record = strict(record)
    return Line(msgspec.json.encode(record), record)


def _start_of_last_lines(descriptor: int, lines: int) -> int:
    """Where the last `lines` whole lines of an open file begin."""
    end = os.fstat(descriptor).st_size
    # One newline more than there are lines: the one that ends the line before the first of them.
    wanted = lines + 1
    while end > 0:
        start = max(end - _TAIL_BLOCK_BYTES, 0)
        block = os.pread(descriptor, end - start, start)
        found = block.count(b"\n")
        if found >= wanted:
            at = len(block)
            for _ in range(wanted):
                at = block.rindex(b"\n", 0, at)
            return start + at + 1
        wanted -= found
        end = start
    return 0
