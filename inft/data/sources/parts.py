"""A corpus in parts: files or datasets, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from inft.data.rows import Row, RowFacts


class Part(Protocol):
    """One file or dataset. Rows are numbered from 0 within it."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> Row:
        """The row, read now; `UnreadableRow` when it is not what its format promises."""
        ...

    def scan(self, *, articles: bool) -> Iterator[RowFacts]:
        """Facts about every row, in order; on request with the article's key."""
        ...

    def place(self, index: int) -> str:
        """Where the row stands."""
        ...


class PartedCorpus:
    """The rows of all parts, in the parts' order."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._starts = list(accumulate((len(part) for part in self._parts), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Row:
        part, within = self._locate(index)
        return part.row(within)

    def scan(self, *, articles: bool = False) -> Iterator[RowFacts]:
        """Facts about every row, in order; on request with the article's key."""
        for part in self._parts:
            yield from part.scan(articles=articles)

    def place(self, index: int) -> str:
        """Where the row stands."""
        part, within = self._locate(index)
        return part.place(within)

    def _locate(self, index: int) -> tuple[Part, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = bisect_right(self._starts, index) - 1
        return self._parts[number], index - self._starts[number]
