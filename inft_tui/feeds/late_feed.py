"""A feed that is opened where it is read: to find out what a folder holds may take as long as a network share does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from inft.errors import InftError
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.feeds.curves import Mark
from inft_tui.feeds.facts import RunFacts
from inft_tui.feeds.fetching import Fetched, Progress
from inft_tui.feeds.foreign import open_feed
from inft_tui.feeds.run_feed import Feed, Sight, Slice, read_on


class LateFeed:
    """A run, or another program's log; until it is opened there is nothing of it.

    What cannot be opened is a sentence in `facts.problem`, and is tried again at the next reading.

    Args:
        path: the run's folder, or the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: Feed | None = None
        # Above what a worker thread uses, below what the screen's does.
        self._feed: Feed | None = None
        self._series: Mapping[str, Series] = {}
        self._axes: Mapping[str, Series] = {}
        self._marks: Sequence[Mark] = ()
        self._facts = RunFacts(visible(path.name), "")

    @property
    def series(self) -> Mapping[str, Series]:
        """Curves by name; x = optimiser steps."""
        return self._series if self._feed is None else self._feed.series

    @property
    def axes(self) -> Mapping[str, Series]:
        """Other ways to say where a step lies, as far as they are known."""
        return self._axes if self._feed is None else self._feed.axes

    @property
    def marks(self) -> Sequence[Mark]:
        """What happened where."""
        return self._marks if self._feed is None else self._feed.marks

    @property
    def facts(self) -> RunFacts:
        """All else; the same object as long as nothing of it has changed."""
        return self._facts if self._feed is None else self._feed.facts

    def fetch(self, budget_s: float) -> Slice:
        """Opens it at the first call, and reads on; may run in another thread than the rest."""
        if self._opened is None:
            try:
                self._opened = open_feed(self._path, lineage=True)
            except InftError as error:
                return Slice(Fetched(), Sight("unreadable", problem=f"{error.message} {error.fix}".strip()))
        return self._opened.fetch(budget_s)

    def take(self, piece: Slice) -> Progress:
        """Adds what was fetched, in the order of fetching; reads nothing."""
        self._feed = self._opened
        if self._feed is not None:
            return self._feed.take(piece)
        problem = piece.sight.problem
        if problem != self._facts.problem:
            self._facts = RunFacts(self._facts.run_id, piece.sight.state, problem=problem)
        return Progress(done=True)

    def read(self, budget_s: float) -> Progress:
        """Both, for who has one thread."""
        return read_on(self, budget_s)

    def close(self) -> None:
        """Lets go of files."""
        if self._opened is not None:
            self._opened.close()
