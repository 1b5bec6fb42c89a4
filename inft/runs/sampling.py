"""Keeps the process that samples the hardware going, and never waits for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Protocol

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 3600.0
_CLOSING_S, _DYING_S = 1.0, 0.5


class Process(Protocol):
    """What is needed of the process; `subprocess.Popen` is one. It ends when `stdin` is closed, unless it hangs."""

    stdin: IO[bytes] | None

    def poll(self) -> int | None:
        """Its return code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """SIGKILL."""


class Sampling:
    """A process that is started, started again after it died, and ended.

    Args:
        start: starts it; None = there is none.
    """

    def __init__(self, start: Callable[[], Process] | None) -> None:
        self._start = start
        self._process: Process | None = None
        self._not_before = float("-inf")
        self._pause_s = _FIRST_PAUSE_S

    def look(self, now: float) -> None:
        """Starts it if it does not run; the same again a minute later at the soonest, and each time half as often.

        Args:
            now: seconds on a clock that only moves on.

        Raises:
            OSError: it could not be started; the next look after the pause tries again.
            DiskError: likewise.
        """
        if self._start is None or (self._process is not None and self._process.poll() is None):
            return
        if now < self._not_before:
            return
        self._not_before = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._close_stdin()
        self._process = None
        self._process = self._start()

    def end(self) -> None:
        """Ends it within a moment. If a driver holds it, so that SIGKILL does not end it either, it is left behind."""
        if self._process is None:
            return
        self._close_stdin()
        try:
            self._process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_DYING_S)

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
