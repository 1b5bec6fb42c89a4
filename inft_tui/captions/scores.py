"""How near a caption is to the corpus's own, as chrF, where the libraries that score are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from inft_tui.worker import Worker

Pair: TypeAlias = tuple[str, str]
"""A caption, and the corpus's own."""

AT_A_TIME = 64
"""Pairs that are scored before the next drawing: 30 ms of an idle core."""
MOST_KEPT = 20_000


class Scores:
    """The chrF of single captions, worked out by a thread when somebody wants to see it.

    Attributes:
        can_score: whether the libraries are there, as far as was tried.

    Args:
        worker: the thread.
    """

    def __init__(self, worker: Worker) -> None:
        self.can_score = True
        self._worker = worker
        self._known: dict[Pair, float] = {}
        self._is_scoring = False

    def of(self, pair: Pair) -> float | None:
        """The score, 0 to 100; None = not known yet."""
        return self._known.get(pair)

    def want(self, pairs: Sequence[Pair], then: Callable[[], None]) -> None:
        """Has those worked out that are not known, unless others are just being; `then` is called if any was."""
        if self._is_scoring or not self.can_score:
            return
        wanted = [pair for pair in dict.fromkeys(pairs) if pair not in self._known][:AT_A_TIME]
        if wanted:
            self._is_scoring = True
            self._worker.ask(lambda: chrf_of(wanted), lambda found: self._scored(wanted, found, then))

    def _scored(self, pairs: Sequence[Pair], found: Sequence[float] | None, then: Callable[[], None]) -> None:
        self._is_scoring = False
        if found is None:
            self.can_score = False
        else:
            if len(self._known) > MOST_KEPT:
                self._known.clear()
            self._known.update(zip(pairs, found, strict=True))
        then()


def chrf_of(pairs: Sequence[Pair]) -> list[float] | None:
    """The chrF of each pair; None where the libraries are not installed."""
    try:
        import numpy

        from inft.scoring.figures import chrf, chrf_counts
    except ImportError:
        return None
    counts = numpy.array([chrf_counts(caption, reference) for caption, reference in pairs], dtype=numpy.float64)
    return [float(score) for score in chrf(counts)]
