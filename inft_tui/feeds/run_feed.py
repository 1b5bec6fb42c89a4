"""A run's directory as curves, marks and facts, read on in slices while the run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from inft.errors import DiskError, InftError
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.endings import told_anew
from inft.runs.find import reference
from inft.runs.inspect import Inspector
from inft.runs.lineage import ancestors
from inft.runs.saved import last_checkpoint
from inft.runs.soundness import bad_lines_words
from inft.runs.status import Cause
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.feeds.curves import Curves, Mark
from inft_tui.feeds.facts import Events, RunFacts
from inft_tui.feeds.fetching import Chain, Fetched, Progress

INSPECT_S = 1.0
"""Shortest time between two looks at a run's processes, in seconds."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a run besides its events.

    Attributes:
        state: see `RunFacts`.
        condition: what it is doing; None where that cannot be told.
        created: when it was made; empty = not known.
        problem: why nothing more can be told; empty = all can.
    """

    state: str = ""
    condition: Condition | None = None
    created: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """What `fetch` hands over to `take`."""

    fetched: Fetched
    sight: Sight


class Feed(Protocol):
    """Where a screen gets a run from, whoever wrote it."""

    @property
    def series(self) -> Mapping[str, Series]:
        """Curves by name; x = optimiser steps."""
        ...

    @property
    def axes(self) -> Mapping[str, Series]:
        """Other ways to say where a step lies, as far as they are known: `epoch`, `elapsed_sec`."""
        ...

    @property
    def marks(self) -> Sequence[Mark]:
        """What happened where."""
        ...

    @property
    def facts(self) -> RunFacts:
        """All else; the same object as long as nothing of it has changed."""
        ...

    def fetch(self, budget_s: float) -> Slice:
        """Reads on for about `budget_s` seconds; changes nothing that is shown, and may run in another thread."""
        ...

    def take(self, piece: Slice) -> Progress:
        """Adds what was fetched, in the order of fetching; reads nothing."""
        ...

    def read(self, budget_s: float) -> Progress:
        """Both, for who has one thread."""
        ...

    def close(self) -> None:
        """Lets go of files."""
        ...


class RunFeed:
    """A run's directory; what cannot be read of it is a sentence in `facts.problem`, never an exception.

    Args:
        run: the run.
        lineage: begin with the runs that it continues, as one curve with a seam where each went on.
        clock: a steady clock, in seconds.
    """

    def __init__(
        self, run: RunDirectory, *, lineage: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.run = run
        self._lineage = lineage
        self._clock = clock
        self._inspector: Inspector | None = None
        self._coroner: Inspector | None = None
        self._cause_told: Cause | None = None
        self._cause = Cause("", "", "")
        self._inspected_at = -INSPECT_S
        self._fetched_sight = Sight()
        self._chain = Chain(self._files)
        # Above what a worker thread uses, below what the screen's does.
        self._curves, self._events = Curves(), Events()
        self._sight, self._problem = Sight(), ""
        self._skipped = 0
        self._facts: RunFacts | None = None

    @property
    def series(self) -> Mapping[str, Series]:
        """Curves by name; x = optimiser steps."""
        return self._curves.series

    @property
    def axes(self) -> Mapping[str, Series]:
        """`epoch` and `elapsed_sec` over the steps, as far as they are known."""
        return self._curves.axes

    @property
    def marks(self) -> Sequence[Mark]:
        """What happened where."""
        return self._curves.marks

    @property
    def facts(self) -> RunFacts:
        """All else; the same object as long as nothing of it has changed."""
        if self._facts is None:
            sight = self._sight
            problem = sight.problem or self._problem or self._damage()
            facts = self._events.facts(self.run.run_id, sight.state, sight.condition, sight.created, problem)
            self._facts = replace(facts, bad_lines=self._skipped)
        return self._facts

    def fetch(self, budget_s: float) -> Slice:
        """Reads on for about `budget_s` seconds, and looks at the run's processes if it is time to.

        It changes nothing that is shown, and may run in another thread than the rest.
        """
        deadline = time.perf_counter() + budget_s
        self._inspect()
        return Slice(self._chain.fetch(deadline - time.perf_counter()), self._fetched_sight)

    def take(self, piece: Slice) -> Progress:
        """Adds what was fetched, in the order of fetching; reads nothing."""
        fetched = piece.fetched
        if fetched.restarted:
            self._curves, self._events = Curves(), Events()
            self._skipped = 0
        self._skipped += fetched.skipped
        is_news = bool(fetched.restarted or fetched.records or fetched.skipped)
        if is_news or (piece.sight, fetched.problem) != (self._sight, self._problem):
            self._sight, self._problem = piece.sight, fetched.problem
            self._facts = None
        changed = self._curves.take(fetched.records)
        self._events.take(fetched.records)
        return Progress(fetched.done, fetched.bytes_left, frozenset(changed), fetched.restarted)

    def read(self, budget_s: float) -> Progress:
        """Fetches and takes, for who has one thread."""
        return read_on(self, budget_s)

    def close(self) -> None:
        """Lets go of files."""
        self._chain.close()

    def _damage(self) -> str:
        """What is damaged and yet was shown as far as it goes; why a run has ended matters more than lost lines."""
        condition = self._sight.condition
        note, cause = ("", None) if condition is None else (condition.note, condition.cause)
        lost = f"{bad_lines_words(self._skipped)}." if self._skipped and cause is None else ""
        return f"{note} {lost}".strip()

    def _files(self) -> list[Path]:
        if not self._lineage:
            return [self.run.metrics]
        ids = reversed(ancestors(self.run))
        return [RunDirectory(self.run.path.with_name(run_id)).metrics for run_id in ids]

    def _inspect(self) -> None:
        now = self._clock()
        if now - self._inspected_at < INSPECT_S:
            return
        self._inspected_at = now
        try:
            inspector = self._inspector = self._inspector or Inspector(self.run, brief=True)
            condition = self._look(inspector)
            # The age of its heartbeat alone is no news: the screen has a clock of its own.
            gone = "" if self.run.path.is_dir() else "Its folder is gone; this is what was read of it before."
            sight = Sight(condition.state, replace(condition, heartbeat_age=None), inspector.record.created, gone)
        except InftError as error:
            state = "unreadable" if isinstance(error, DiskError) else "damaged"
            sight = Sight(state, problem=error.message)
        self._fetched_sight = sight

    def _look(self, inspector: Inspector) -> Condition:
        condition = inspector.look()
        if condition.alive or condition.state == "finished":
            return condition
        if condition.recorded and condition.cause is not None:
            return replace(condition, cause=self._told_anew(condition.cause))
        # It died without a word: how to go on is worth a longer look, once.
        if self._coroner is None:
            self._coroner = Inspector(self.run, inspector.record)
        return self._coroner.look()

    def _told_anew(self, cause: Cause) -> Cause:
        """With the way on that there is now; looked for once, and not where nothing of it could have changed."""
        if cause != self._cause_told:
            checkpoint = last_checkpoint(self.run)
            self._cause_told = cause
            self._cause = told_anew(
                cause, reference(self.run), None if checkpoint is None else visible(str(checkpoint.path))
            )
        return self._cause


def read_on(feed: Feed, budget_s: float) -> Progress:
    """Fetches and takes for about `budget_s` seconds."""
    deadline = time.perf_counter() + budget_s
    changed: frozenset[str] = frozenset()
    restarted = False
    while True:
        progress = feed.take(feed.fetch(deadline - time.perf_counter()))
        changed |= progress.changed
        restarted |= progress.restarted
        if progress.done or time.perf_counter() >= deadline:
            return Progress(progress.done, progress.bytes_left, changed, restarted)
