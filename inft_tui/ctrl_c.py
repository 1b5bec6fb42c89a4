"""Ctrl-C around a run that goes on without us: it must never leave it unmentioned."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class CtrlC:
    """The meaning of SIGINT from the start of a run on.

    At first it does nothing. Once held back, it is only noted; once let through, the first one interrupts, the one that
    was noted included, and those after it are ignored, so that what is then said is said to its end. Where SIGINT is
    ignored (a job in the background of a script), and in other threads than the main one, it stays as it is.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._held_back = False
        self._came = False
        self._told = False

    def hold_back(self) -> None:
        """From here on it is noted."""
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._held_back = True
            self._before = signal.signal(signal.SIGINT, self._hear)

    def let_through(self) -> None:
        """From here on it interrupts, once.

        Raises:
            KeyboardInterrupt: it came meanwhile.
        """
        self._held_back = False
        if self._came:
            self._tell()

    def restore(self) -> None:
        """From here on it means what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if not self._held_back:
            self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            raise KeyboardInterrupt
