"""Reading apart from taking in: a worker thread fetches lines, since a disk may hang, and the screen's own takes them.

So nothing that is drawn changes while it is drawn, and nobody needs a lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.runs.jsonl import Chunk, JsonlReader, Record
from inft.runs.records import unreadable
from inft.runs.visible import visible

CHUNK_BYTES = 128 << 10
"""Between two looks at the clock: about 1 ms, so that a budget of 8 ms is kept."""

MOST_CHUNKS = 8
"""In one slice, whatever its budget: as records, they take several times their bytes."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a slice of reading brought.

    Attributes:
        records: the lines, in their order.
        restarted: whether they begin anew, since a file was cut off or replaced: what came before no longer holds.
        done: whether all that is there now was read.
        bytes_left: about how much was not.
        skipped: how many lines were no JSON object.
        problem: why a file cannot be read, safe to show; empty = it can.
        seams: before which of the records, by their place, another file begins; their number = before what comes next.
    """

    records: tuple[Record, ...] = ()
    restarted: bool = False
    done: bool = True
    bytes_left: int = 0
    skipped: int = 0
    problem: str = ""
    seams: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What taking a slice in came to.

    Attributes:
        done: whether all that is there now has been read.
        bytes_left: about how much was not.
        changed: names of the series that have changed.
        restarted: whether the curves begin anew, with other `Series` objects: a file was cut off or replaced.
    """

    done: bool
    bytes_left: int = 0
    changed: frozenset[str] = frozenset()
    restarted: bool = False


class Chain:
    """The lines of files of JSON lines, one file after the other; only the last one may still grow.

    Args:
        paths: says which files; asked again when one of them begins anew. At least one; none need exist.
    """

    def __init__(self, paths: Callable[[], Sequence[Path]]) -> None:
        self._paths = paths
        self._problems: dict[Path, str] = {}
        self._readers: list[tuple[Path, JsonlReader]] = []
        self._reading = 0
        self._read_bytes = 0
        self._open()

    def fetch(self, budget_s: float) -> Fetched:
        """Reads on for about `budget_s` seconds."""
        deadline = time.perf_counter() + budget_s
        records: list[Record] = []
        seams: list[int] = []
        restarted = done = False
        chunks = skipped = 0
        while not done and chunks < MOST_CHUNKS:
            chunk = self._chunk()
            if chunk.restarted and not restarted:
                # All files begin anew, since what follows may belong behind other lines.
                restarted = True
                records.clear()
                seams.clear()
                skipped = 0
                self._open()
                continue
            chunks += 1
            skipped += chunk.skipped
            records += [line.record for line in chunk.lines]
            if chunk.more:
                self._read_bytes += CHUNK_BYTES
            elif self._next():
                seams.append(len(records))
            else:
                done = True
            if time.perf_counter() >= deadline:
                break
        problem = next(iter(self._problems.values()), "")
        bytes_left = 0 if done else self._bytes_left()
        return Fetched(tuple(records), restarted, done, bytes_left, skipped, problem, tuple(seams))

    def close(self) -> None:
        """Lets go of the files."""
        for _, reader in self._readers:
            reader.close()

    def _open(self) -> None:
        self.close()
        self._readers = [(path, JsonlReader(path)) for path in self._paths()]
        self._reading = 0
        self._read_bytes = 0

    def _chunk(self) -> Chunk:
        path, reader = self._readers[self._reading]
        try:
            chunk = reader.read(CHUNK_BYTES)
        except OSError as error:
            self._problems[path] = unreadable(error, visible(str(path))).message
            return Chunk()
        self._problems.pop(path, None)
        return chunk

    def _next(self) -> bool:
        """Goes on with the next file; whether there is one."""
        if self._reading == len(self._readers) - 1:
            return False
        self._readers[self._reading][1].close()
        self._reading += 1
        self._read_bytes = 0
        return True

    def _bytes_left(self) -> int:
        total = 0
        for path, _ in self._readers[self._reading :]:
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return max(0, total - self._read_bytes)
