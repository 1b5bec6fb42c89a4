"""Keeps what is shown of a run up to date: the worker reads its files in slices, taken in between drawings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from inft_tui.feeds.facts import RunFacts
from inft_tui.feeds.fetching import Progress
from inft_tui.feeds.hardware_feed import HardwareFeed
from inft_tui.feeds.late_feed import LateFeed
from inft_tui.feeds.run_feed import Feed
from inft_tui.listing import without_its_age
from inft_tui.worker import Worker

SLICE_S = 0.005
"""Of reading at a time; a key that is pressed meanwhile waits no longer than this for the interpreter."""

CALM_AFTER_S, CALM_S = 2.0, 1.0
"""After so long without news a run is looked at less often: eight looks a second would take 0.4 % of a core."""

_Piece = TypeVar("_Piece")


class Source(Protocol[_Piece]):
    """A feed, as far as its reader needs to know it."""

    def fetch(self, budget_s: float) -> _Piece:
        """Reads on; may run in another thread."""
        ...

    def take(self, piece: _Piece) -> Progress:
        """Adds what was fetched, where the screen is drawn."""
        ...

    def close(self) -> None:
        """Lets go of files."""
        ...


class Reader(Generic[_Piece]):
    """Reads one feed on and on.

    Attributes:
        is_loaded: whether all that there was at the beginning has been read.

    Args:
        source: the feed.
        worker: the thread that reads.
        taken: told what each slice came to.
    """

    def __init__(self, source: Source[_Piece], worker: Worker, taken: Callable[[Progress], None]) -> None:
        self.is_loaded = False
        self._source = source
        self._worker = worker
        self._taken = taken
        self._is_reading = self._is_closed = False

    def poll(self) -> None:
        """Has it read on, to the end of what there is; nothing if that is going on."""
        if not self._is_reading and not self._is_closed:
            self._is_reading = True
            self._worker.ask(lambda: self._source.fetch(SLICE_S), self._take)

    def close(self) -> None:
        """Lets go of the feed's files, once nobody reads them."""
        if not self._is_closed:
            self._is_closed = True
            self._worker.ask(self._source.close, lambda _: None)

    def _take(self, piece: _Piece) -> None:
        self._is_reading = False
        if self._is_closed:
            return
        progress = self._source.take(piece)
        self.is_loaded |= progress.done
        self._taken(progress)
        if not progress.done:
            self.poll()


class Watched:
    """A run, or another program's log, with its curves and its hardware.

    Attributes:
        path: the run's folder, or the file.
        feed: its curves, marks and facts.
        hardware: its samples of the machine.
        changed: told after each slice that brought something; a screen that is shown puts itself here.

    Args:
        path: the same.
        worker: the thread that reads, and opens: nothing here waits for a disk.
    """

    def __init__(self, path: Path, worker: Worker) -> None:
        self.path = path
        self.feed: Feed = LateFeed(path)
        self.hardware = HardwareFeed(path / "hardware.jsonl")
        self.changed: Callable[[], None] = _nothing
        self._news_at = self._kept_up_at = float("-inf")
        self._run_reader = Reader(self.feed, worker, self._taken)
        self._hardware_reader = Reader(self.hardware, worker, self._taken)

    @property
    def is_loaded(self) -> bool:
        """Whether the past is read, and only what comes is still to be."""
        return self._run_reader.is_loaded and self._hardware_reader.is_loaded

    @property
    def is_calm(self) -> bool:
        """Whether nothing has come for a while, so that one look a second is enough."""
        return self.is_loaded and time.monotonic() - self._news_at >= CALM_AFTER_S

    def poll(self) -> None:
        """Has both read on."""
        self._run_reader.poll()
        self._hardware_reader.poll()

    def keep_up(self) -> None:
        """As `poll`, where a screen asks several times a second; once a second where nothing has come for a while."""
        now = time.monotonic()
        if not self.is_calm or now - self._kept_up_at >= 0.9 * CALM_S:  # a timer may be a little early
            self._kept_up_at = now
            self.poll()

    def close(self) -> None:
        """Lets go of the files."""
        self._run_reader.close()
        self._hardware_reader.close()

    def _taken(self, progress: Progress) -> None:
        if progress.changed or progress.restarted or not progress.done:
            self._news_at = time.monotonic()
            self.changed()


def tell_the_same(one: RunFacts, other: RunFacts | None) -> bool:
    """Whether there is nothing to draw anew: they differ at the most in what changes with the clock alone."""
    return one is other or (other is not None and _without_age(one) == _without_age(other))


def _without_age(facts: RunFacts) -> RunFacts:
    condition = facts.condition
    return facts if condition is None else replace(facts, condition=without_its_age(condition))


def _nothing() -> None:
    """Nobody wants to know."""
