"""The runs that are compared, read on while they are, whatever screen is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inft.errors import InftError
from inft.runs.directory import RunDirectory
from inft.runs.visible import visible
from inft_tui.comparison.marks import MOST
from inft_tui.comparison.overlay import Curves
from inft_tui.comparison.parameters import Comparison, Stated, compare, read_stated
from inft_tui.feeds.facts import RunFacts
from inft_tui.feeds.fetching import Progress
from inft_tui.feeds.foreign import open_feed
from inft_tui.feeds.run_feed import Feed, Slice
from inft_tui.watched import CALM_AFTER_S, Reader, tell_the_same
from inft_tui.worker import Worker

ENDED_S = 2.0
"""Between two looks at a run that has ended."""


class Compared:
    """One of the runs.

    Attributes:
        path: its folder, or another program's log.
        feed: its curves; None = not opened yet, or there is nothing to show.
        stated: what its files state; None = not read yet.
        problem: why there is nothing to show; empty = there is, or will be.

    Args:
        path: the same.
        worker: the thread that reads.
        changed: told when something is new.
    """

    def __init__(self, path: Path, worker: Worker, changed: Callable[[], None]) -> None:
        self.path = path
        self.feed: Feed | None = None
        self.stated: Stated | None = None
        self.problem = ""
        self._worker = worker
        self._changed = changed
        self._reader: Reader[Slice] | None = None
        self._next_poll = float("-inf")
        self._facts: RunFacts | None = None
        self._is_closed = False
        worker.ask(lambda: _opened(path), self._take_opened)

    @property
    def name(self) -> str:
        """What it is called, safe to show."""
        return visible(self.path.name)

    @property
    def is_loaded(self) -> bool:
        """Whether its past is read, or never will be."""
        return bool(self.problem) or (self._reader is not None and self._reader.is_loaded)

    @property
    def is_alive(self) -> bool:
        """Whether it goes on, as far as is known: of another program's log it is not."""
        condition = None if self.feed is None else self.feed.facts.condition
        return self.feed is not None and (condition is None or condition.alive)

    @property
    def facts(self) -> RunFacts | None:
        """What it is doing; None = not known yet."""
        return None if self.feed is None else self.feed.facts

    @property
    def curves(self) -> Curves:
        """Its curves as far as they are read."""
        feed = self.feed
        return Curves({}, {}) if feed is None else Curves(feed.series, feed.axes, feed.facts.max_steps)

    def poll(self, now: float) -> None:
        """Has it read on.

        Args:
            now: seconds on a clock that only moves on.
        """
        if self._reader is None or now < self._next_poll:
            return
        if self._reader.is_loaded and not self.is_alive:
            self._next_poll = now + ENDED_S
        self._reader.poll()

    def close(self) -> None:
        """Lets go of its files."""
        self._is_closed = True
        if self._reader is not None:
            self._reader.close()

    def _take_opened(self, opened: tuple[Feed | None, Stated, str]) -> None:
        feed, self.stated, self.problem = opened
        if self._is_closed:
            if feed is not None:
                self._worker.ask(feed.close, lambda _: None)
            return
        if feed is not None:
            self.feed = feed
            self._reader = Reader(feed, self._worker, self._taken)
            self._reader.poll()
        self._changed()

    def _taken(self, progress: Progress) -> None:
        facts, self._facts = self._facts, self.facts
        is_same = self._facts is not None and tell_the_same(self._facts, facts)
        if progress.changed or progress.restarted or not is_same:
            self._changed()


class Group:
    """Up to `MOST` runs.

    Attributes:
        runs: in their order.
        figure: which figure is looked at; empty = the first there is.
        changed: told when something is new.

    Args:
        worker: the thread that reads.
    """

    def __init__(self, worker: Worker) -> None:
        self.runs: list[Compared] = []
        self.figure = ""
        self.changed: Callable[[], None] = _nothing
        self._worker = worker
        self._compared: tuple[list[Stated], Comparison] = ([], Comparison())
        self._news_at = float("-inf")

    @property
    def is_loaded(self) -> bool:
        """Whether the past of all of them is read."""
        return all(run.is_loaded for run in self.runs)

    @property
    def is_calm(self) -> bool:
        """Whether one look a second is enough: all is read, and nothing has come for a while or will come."""
        goes_on = any(run.is_alive for run in self.runs)
        return self.is_loaded and (not goes_on or time.monotonic() - self._news_at >= CALM_AFTER_S)

    def choose(self, paths: Sequence[Path]) -> None:
        """Has these compared; what is known of those that stay is kept."""
        kept = {run.path: run for run in self.runs}
        chosen = list(dict.fromkeys(paths))[:MOST]
        self.runs = [kept.pop(path) if path in kept else Compared(path, self._worker, self._news) for path in chosen]
        for run in kept.values():
            run.close()

    def poll(self) -> None:
        """Has all of them read on."""
        now = time.monotonic()
        for run in self.runs:
            run.poll(now)

    def comparison(self) -> Comparison | None:
        """In what they differ; None while that is not read."""
        stated = [run.stated for run in self.runs if run.stated is not None]
        if len(stated) < len(self.runs):
            return None
        known, found = self._compared
        if len(known) != len(stated) or any(one is not other for one, other in zip(known, stated, strict=True)):
            found = compare(stated)
            self._compared = (stated, found)
        return found

    def _news(self) -> None:
        self._news_at = time.monotonic()
        self.changed()


def _opened(path: Path) -> tuple[Feed | None, Stated, str]:
    """The feed of a run, what it states, and why there is no feed."""
    stated = read_stated(RunDirectory(path))
    try:
        return open_feed(path, lineage=True), stated, ""
    except InftError as error:
        return None, stated, error.message


def _nothing() -> None:
    """Nobody wants to know."""
