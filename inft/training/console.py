"""Standard streams that outlive what they write to: a terminal that hung up, a disk that filled up, a closed pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Lossy(io.FileIO):
    """A file whose failed writes are lost and not raised."""

    def write(self, content: ReadableBuffer, /) -> int:
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes


def lossy_stream(descriptor: int, *, owns: bool = False) -> TextIO:
    """A text stream on an open file that training cannot fail for.

    Args:
        descriptor: the open file.
        owns: whether closing the stream closes the file.
    """
    raw = _Lossy(descriptor, "w", closefd=owns)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )


def steady_standard_streams() -> None:
    """Makes stdout and stderr such streams; descriptors 0 to 2 that were closed lead nowhere from then on.

    Otherwise the next file that is opened, the log for instance, would be taken for one of them.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    sys.stdout, sys.stderr = lossy_stream(1), lossy_stream(2)
