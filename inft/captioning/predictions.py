"""The file of predictions: a strict JSON object a line, appended a batch at a time, and continued after any end."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType

import msgspec

from inft.errors import ConfigError, disk_error
from inft.runs.jsonl import strict

_DECODER = msgspec.json.Decoder(dict[str, object])


class PredictionsFile:
    """Appends batches, each at once and onto the disk; one process at a time.

    Args:
        path: the file; made, with its folder, if it does not exist.

    Raises:
        ConfigError: another process is writing it.
        DiskError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk_error(error, path) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise ConfigError(f"Another process is writing {path}.", "Wait for it, or name another --output.") from None
        except OSError as error:
            os.close(self._descriptor)
            raise disk_error(error, path) from error

    def resume(self, batches: Sequence[Sequence[int]]) -> int:
        """How many batches the file holds; a part of one behind them is cut off.

        Args:
            batches: the row numbers that its lines are to have, in order.

        Raises:
            ConfigError: a line is not what this job wrote there.
            DiskError: the file cannot be read or cut.
        """
        ends = list(accumulate(map(len, batches)))
        order = [row for batch in batches for row in batch]
        done = kept = position = 0
        try:
            with open(self._descriptor, "rb", closefd=False) as file:
                file.seek(0)
                for number, line in enumerate(file):
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    if number >= len(order) or not _is_of(line, order[number]):
                        raise ConfigError(
                            f"{self.path} line {number + 1} is not what this job wrote there.",
                            "Name another --output, or begin the file anew with --force.",
                        )
                    if number + 1 == ends[done]:
                        done, kept = done + 1, position
            os.ftruncate(self._descriptor, kept)
        except OSError as error:
            raise disk_error(error, self.path) from error
        return done

    def append(self, records: Sequence[Mapping[str, object]]) -> None:
        """Adds a batch's lines and waits until the disk has them.

        Raises:
            DiskError: the disk did not take them; what it took of them, `resume` cuts off.
        """
        left = memoryview(b"".join(msgspec.json.encode(strict(record)) + b"\n" for record in records))
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def failures(self) -> int:
        """How many of its lines have no caption."""
        with self.path.open("rb") as file:
            return sum(_DECODER.decode(line)["failure"] is not None for line in file)

    def clear(self) -> None:
        """Empties it.

        Raises:
            DiskError: it cannot be.
        """
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def __enter__(self) -> PredictionsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def _is_of(line: bytes, row: int) -> bool:
    try:
        return _DECODER.decode(line).get("row") == row
    except ValueError:
        return False
