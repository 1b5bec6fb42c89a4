"""A window on the lines of a log: where it stands, what a person moves it to, and what is then in it.

The thread that reads files owns it, and hands over pages; nothing in here knows a screen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from inft.runs.records import unreadable
from inft.runs.visible import visible
from inft_tui.logs.errors import ErrorLines
from inft_tui.logs.filter import Filter
from inft_tui.logs.follow import Change
from inft_tui.logs.line_index import LogFile, Row
from inft_tui.logs.patterns import Both, Matcher
from inft_tui.logs.search import Search
from inft_tui.logs.shown import Rendering, as_is

Move: TypeAlias = "Callable[[Pager], None]"
"""One of the methods of `Pager` that move it, with its arguments."""
Looking: TypeAlias = Literal["", "above", "below", "none above", "none below"]
"""For an error: not at all, where, and where there is none."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is in the window.

    Attributes:
        rows: the lines.
        size: bytes of the file.
        exists: whether the file is there; one that was removed can still be read.
        has_folder: whether the folder is there that it is in.
        line_count: how many lines the file has; an estimate until `is_counted`.
        is_counted: see there.
        is_following: whether the window stays at the end.
        found: how many lines the filter has found so far; None = there is no filter.
        searched: which share of the file the filter has looked through, 0 to 1.
        marked: where the line begins that was jumped to; None = there is none.
        looking: for the next or the previous error.
        is_busy: whether there is more to do at once.
        problem: why the file cannot be read, safe to show; empty = it can.
    """

    rows: tuple[Row, ...] = ()
    size: int = 0
    exists: bool = True
    has_folder: bool = True
    line_count: int = 0
    is_counted: bool = False
    is_following: bool = True
    found: int | None = None
    searched: float = 1.0
    marked: int | None = None
    looking: Looking = ""
    is_busy: bool = False
    problem: str = ""


class Pager:
    """A window that follows the end of a log until it is moved.

    Args:
        path: the file; it need not exist yet.
        rendering: how its lines are shown.
    """

    def __init__(self, path: Path, rendering: Rendering = as_is) -> None:
        self._path = path
        self._log = LogFile(path, rendering)
        self._matcher: Matcher | None = None
        self._filter: Filter | None = None
        self._search: Search | None = None
        self._forward = True
        self._looking: Looking = ""
        self._marked: int | None = None
        self._top: int | None = None  # where the first line begins; None = the window follows the end
        self._height = 1
        self._first = 0  # where the first line of the last page began
        self._behind = 0  # and where the one behind its last

    @property
    def is_following(self) -> bool:
        """Whether the window stays at the end."""
        return self._top is None

    def look(self, height: int, budget_s: float, moves: Sequence[Move] = ()) -> Page:
        """What is in the window now, after about `budget_s` seconds of looking for what was asked for.

        Args:
            height: how many lines it has room for.
            budget_s: in seconds; a page takes about a millisecond beyond it.
            moves: what was asked for since the last look.
        """
        shrunk, self._height = height < self._height, max(1, height)
        deadline = time.perf_counter() + budget_s
        try:
            if self._log.refresh() is Change.RESTARTED:
                self._begin_anew()
            for move in moves:
                move(self)
            self._work(deadline)
            if shrunk and self._marked is not None and self._first <= self._marked < self._behind:
                self._place(self._marked)
            rows = self._rows()
        except OSError as error:
            return Page(problem=unreadable(error, visible(str(self._path))).message)
        self._first = rows[0].start if rows else 0
        self._behind = rows[-1].end if rows else 0
        log, found = self._log, self._filter
        return Page(
            rows=tuple(rows),
            size=log.size,
            exists=os.path.exists(self._path),
            has_folder=os.path.exists(self._path.parent),
            line_count=log.line_count(),
            is_counted=log.is_indexed,
            is_following=self.is_following,
            found=None if found is None else len(found),
            searched=1.0 if found is None or found.is_done else found.searched_bytes / max(1, log.size),
            marked=self._marked,
            looking=self._looking,
            is_busy=self._search is not None or not log.is_indexed or not (found is None or found.is_done),
        )

    def scroll(self, lines: int) -> None:
        """Moves down by so many lines, or up; at the end it follows."""
        self._forget_search()
        source = self._source()
        if lines < 0:
            above = source.before(self._first, -lines)
            self._top = above[0].start if above else self._first
        elif self._top is not None:
            ahead = source.after(self._first, self._height + lines)
            self._top = ahead[lines].start if len(ahead) == self._height + lines else None

    def to_start(self) -> None:
        """Moves to the first line."""
        self._forget_search()
        self._top = 0

    def to_end(self) -> None:
        """Moves to the last line and follows."""
        self._forget_search()
        self._top = None

    def hold(self) -> None:
        """Stays where it is, whatever is written."""
        self._top = self._first

    def narrow(self, matcher: Matcher | None) -> None:
        """Shows only the lines that match, near those that are shown now; None = all again."""
        self._forget_search()
        self._matcher = matcher
        self._filter = None if matcher is None else Filter(self._log, matcher, self._top)

    def find_error(self, *, forward: bool) -> None:
        """Looks for the next error behind the marked one, or the previous; where none is marked, from the page on."""
        errors: Matcher = ErrorLines(self._log.rendering)
        if self._matcher is not None:
            errors = Both(errors, self._matcher)
        marked = self._marked
        if marked is None or not self._first <= marked < self._behind:
            marked = self._first - 1 if forward else self._behind
        self._forward = forward
        self._looking = "below" if forward else "above"
        self._search = Search(self._log, errors, marked, forward=forward)

    def close(self) -> None:
        """Lets go of the file."""
        self._log.close()

    def _source(self) -> LogFile | Filter:
        return self._log if self._filter is None else self._filter

    def _begin_anew(self) -> None:
        """Places in another file mean nothing."""
        self._forget_search()
        self._marked = None
        self._first = self._behind = 0
        if self._top is not None:
            self._top = 0

    def _forget_search(self) -> None:
        self._search = None
        self._looking = ""

    def _work(self, deadline: float) -> None:
        """What a person waits for comes first."""
        if self._search is not None and self._search.advance(deadline - time.perf_counter()):
            self._arrive(self._search.found)
        if self._filter is not None:
            self._filter.advance(deadline - time.perf_counter())
        if time.perf_counter() < deadline:
            self._log.index(deadline - time.perf_counter())

    def _arrive(self, found: int | None) -> None:
        self._search = None
        if found is None:
            self._looking = "none below" if self._forward else "none above"
            return
        self._looking = ""
        self._marked = found
        if self._first <= found < self._behind:
            self._top = self._first
            return
        self._place(found)

    def _place(self, marked: int) -> None:
        """Moves there, with a third of the window above it: what led to an error matters, what it led to even more."""
        above = self._source().before(marked, self._height // 3)
        self._top = above[0].start if above else marked

    def _rows(self) -> list[Row]:
        source = self._source()
        if self._top is not None:
            rows = source.after(self._top, self._height)
            if len(rows) == self._height:
                return rows
        return source.last(self._height)
