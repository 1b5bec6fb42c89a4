"""The next or the previous line of a log that matches, looked for in slices: for "next error"."""

from __future__ import annotations

import time

from inft_tui.logs.line_index import LogFile
from inft_tui.logs.patterns import Matcher


class Search:
    """Looks for one line.

    Attributes:
        found: where it begins; None = not found, or not yet.
        is_done: whether it is found, or there is none.

    Args:
        log: the log.
        matcher: what to look for, for instance `errors.ErrorLines`.
        place: the start of a line, which is itself left out; -1 = look from the file's very beginning on.
        forward: whether to look behind it, or before.
    """

    def __init__(self, log: LogFile, matcher: Matcher, place: int, *, forward: bool) -> None:
        self.found: int | None = None
        self.is_done = False
        self._log = log
        self._matcher = matcher
        self._forward = forward
        self._generation = log.generation
        self._at = log.first_start(place + 1) if forward else log.first_start(min(place, log.size))

    def advance(self, budget_s: float) -> bool:
        """Looks on for about `budget_s` seconds; whether it is done. A file that begins anew ends it.

        Raises:
            OSError: the file cannot be read.
        """
        deadline = time.perf_counter() + budget_s
        while not self.is_done:
            if self._log.generation != self._generation:
                self.is_done = True
                break
            self._look()
            if time.perf_counter() >= deadline:
                break
        return self.is_done

    def _look(self) -> None:
        block = self._log.block_after(self._at) if self._forward else self._log.block_before(self._at)
        if not block:
            self.is_done = True
            return
        start = self._at if self._forward else self._at - len(block)
        for offset in self._matcher.starts(block):
            self.found = start + offset
            self.is_done = True
            if self._forward:
                return
        self._at = start + len(block) if self._forward else start
