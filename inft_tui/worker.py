"""The one thread that reads files, so that the screen never waits for a disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


class Worker:
    """Does jobs one after the other, in a thread that no end of the program waits for.

    Args:
        hand_over: calls a function where the screen is drawn; safe to call from the thread.
        failed: told there about an exception that a job did not expect.
    """

    def __init__(self, hand_over: Callable[[Callable[[], None]], None], failed: Callable[[Exception], None]) -> None:
        self._hand_over = hand_over
        self._failed = failed
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, job: Callable[[], _Result], then: Callable[[_Result], None]) -> None:
        """Has `job` done, and `then` called with its result where the screen is drawn."""
        self._jobs.put(lambda: self._do(job, then))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._jobs.get()()

    def _do(self, job: Callable[[], _Result], then: Callable[[_Result], None]) -> None:
        try:
            result = job()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the console ends as for a defect of a screen
            failure = error
            self._hand_over(lambda: self._failed(failure))
        else:
            self._hand_over(lambda: then(result))
