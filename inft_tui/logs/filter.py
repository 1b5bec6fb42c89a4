"""The lines of a log that match, found in slices: those near what is on screen first, then all, then new ones."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right

from inft_tui.logs.line_index import LogFile, Row
from inft_tui.logs.patterns import Matcher

MOST_FOUND = 1 << 20
"""On either side of where it began: 8 MiB of places. Nobody reads on beyond that; another word narrows it down."""


class Filter:
    """The lines of `log` that match, as far as they are found.

    A half line at the file's end counts while it matches. When the file begins anew, so does the filter, at its end.

    Args:
        log: the log; whoever calls `advance` has called its `refresh`.
        matcher: what to look for.
        place: the byte around which to begin, for instance of the first line on screen; None = the end.
    """

    def __init__(self, log: LogFile, matcher: Matcher, place: int | None = None) -> None:
        self._log = log
        self._matcher = matcher
        self._begin(log.size if place is None else place)

    def __len__(self) -> int:
        return len(self._before) + len(self._after) + (self._half is not None)

    @property
    def is_done(self) -> bool:
        """Whether the whole file was looked through, or more was found than anybody reads."""
        return self._is_done_before() and self._is_done_after()

    @property
    def searched_bytes(self) -> int:
        """How much of the file was looked through."""
        return self._down_to - self._up_to

    @property
    def centre(self) -> int:
        """How many of the found lines lie before the place where it began: the screen's first is this one."""
        return len(self._before)

    def advance(self, budget_s: float) -> bool:
        """Looks on for about `budget_s` seconds; whether anything about the found lines has changed.

        Raises:
            OSError: the file cannot be read.
        """
        if self._log.generation != self._generation:
            self._begin(self._log.size)
        deadline = time.perf_counter() + budget_s
        before = (len(self), self._half)
        while not self.is_done:
            if not self._is_done_after():
                self._look_after()
            if not self._is_done_before():
                self._look_before()
            if time.perf_counter() >= deadline:
                break
        return before != (len(self), self._half)

    def rows(self, first: int, count: int) -> list[Row]:
        """`count` of the found lines, in the file's order, from the `first` found on."""
        return [self._log.row(self._start(place)) for place in range(max(0, first), min(first + count, len(self)))]

    def last(self, count: int) -> list[Row]:
        """The last `count` found lines."""
        return self.rows(max(0, len(self) - count), count)

    def after(self, place: int, count: int) -> list[Row]:
        """The first `count` found lines that begin at byte `place` or behind it."""
        return self.rows(self._found_before(place), count)

    def before(self, place: int, count: int) -> list[Row]:
        """The last `count` found lines that begin before byte `place`."""
        behind = self._found_before(place)
        first = max(0, behind - count)
        return self.rows(first, behind - first)

    def _found_before(self, place: int) -> int:
        """How many of the found lines begin before byte `place`."""
        nearest_first = bisect_right(self._before, -place, key=lambda start: -start)
        before = len(self._before) - nearest_first + bisect_left(self._after, place)
        return before + (self._half is not None and self._half < place)

    def _begin(self, place: int) -> None:
        self._generation = self._log.generation
        start = self._log.first_start(min(place, self._log.size))
        if start >= self._log.size and not self._log.ends_whole(start):
            start = self._log.start_before(start)  # a half line is not passed over: it may yet match
        self._before = array("Q")  # found before `start`, the nearest first
        self._after = array("Q")  # found behind it
        self._half: int | None = None
        self._up_to = start  # what lies between these two was looked through
        self._down_to = start
        self._looked_at_half = -1  # size of the file when its half line was looked at

    def _start(self, place: int) -> int:
        if place < len(self._before):
            return self._before[len(self._before) - 1 - place]
        place -= len(self._before)
        if place < len(self._after):
            return self._after[place]
        assert self._half is not None
        return self._half

    def _is_done_before(self) -> bool:
        return self._up_to == 0 or len(self._before) >= MOST_FOUND

    def _is_done_after(self) -> bool:
        size = self._log.size
        return self._down_to >= size or self._looked_at_half == size or len(self._after) >= MOST_FOUND

    def _look_before(self) -> None:
        block = self._log.block_before(self._up_to)
        start = self._up_to - len(block)
        found = [start + offset for offset in self._matcher.starts(block)]
        self._before.extend(reversed(found))
        self._up_to = start if block else 0  # empty: the file was cut off meanwhile

    def _look_after(self) -> None:
        log, start = self._log, self._down_to
        block = log.block_after(start)
        end = start + len(block)
        self._half = None
        if not block:  # the same
            self._looked_at_half = log.size
            return
        half = b""
        if not log.ends_whole(end):
            half = block[block.rfind(b"\n") + 1 :]
            block = block[: len(block) - len(half)]
        self._after.extend(start + offset for offset in self._matcher.starts(block))
        self._down_to = start + len(block)
        if half:
            self._looked_at_half = log.size
            self._half = self._down_to if any(True for _ in self._matcher.starts(half)) else None
