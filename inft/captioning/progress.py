"""What is under way, on stderr: one line drawn over and over on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from inft.runs.quantities import duration
from inft.runs.redact import redact
from inft.runs.visible import visible

REDRAW_S = 0.25
USUAL_COLUMNS = 80
PATIENCE_S = 1.0
LINE_S = 15.0
"""Where lines stay, one is enough to see that it goes on."""


class Progress:
    """Tells of a job.

    Args:
        stream: where to.
        clock: seconds that only move on.
        at_once: off = what is soon done is not told of at all.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        at_once: bool = True,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._draws = self._stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self._shown_at = float("-inf") if at_once else clock() + PATIENCE_S
        self._width = 0

    def say(self, words: str) -> None:
        """Shows `words` in place of what was shown, if that has been there for a moment."""
        now = self._clock()
        if now - self._shown_at < (REDRAW_S if self._draws else LINE_S):
            return
        self._shown_at = now
        if self._draws:
            self._draw(visible(words))
        else:
            self._write(visible(words) + "\n")

    def note(self, words: str) -> None:
        """Leaves a line that stays."""
        self.end()
        self._write(visible(redact(words)) + "\n")

    def end(self) -> None:
        """Takes the drawn line away."""
        if self._width:
            self._draw("")
            self._width = 0

    def _draw(self, words: str) -> None:
        # A line longer than the terminal would be drawn below itself again and again.
        words = words[: max(1, _columns(self._stream) - 1)]
        self._write("\r" + words.ljust(self._width) + ("" if words else "\r"))
        self._width = len(words)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Pace:
    """How fast rows come, and how long the others will take.

    Args:
        total: rows of the whole job.
        done: those that were there before.
        clock: seconds that only move on.
    """

    def __init__(self, total: int, done: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._before, self._clock = total, done, clock
        self._began = clock()

    def text(self, done: int) -> str:
        """One line.

        >>> times = iter([0.0, 8.0])
        >>> Pace(1000, 100, lambda: next(times)).text(500)
        '500 of 1,000 rows, 50.0 rows/s, 10 s left'
        """
        seconds = self._clock() - self._began
        here = done - self._before
        words = f"{done:,} of {self._total:,} rows"
        if here == 0 or seconds <= 0:
            return words
        rate = here / seconds
        return f"{words}, {rate:.1f} rows/s, {duration((self._total - done) / rate)} left"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS  # 0 where nobody has set it
    except OSError:
        return USUAL_COLUMNS
