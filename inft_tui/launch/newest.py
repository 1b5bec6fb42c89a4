"""A thread that does the newest of what it is asked for: what is newer takes the place of what still waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


class Newest(Generic[_Result]):
    """Does jobs of which only the last counts, and that may hang.

    Args:
        hand_over: calls a function where the screen is drawn; safe to call from the thread.
        delay_s: how long nothing newer has to come before a job begins.
        patience_s: a job that takes longer is left to itself once a newer one comes.
    """

    def __init__(
        self, hand_over: Callable[[Callable[[], None]], None], *, delay_s: float, patience_s: float = 20.0
    ) -> None:
        self._hand_over = hand_over
        self._delay_s = delay_s
        self._patience_s = patience_s
        self._condition = threading.Condition()
        self._wanted: tuple[float, Callable[[], _Result], Callable[[_Result | Exception], None]] | None = None
        self._began: float | None = None
        self._generation = 0

    @property
    def is_busy(self) -> bool:
        """Whether a result is still to come."""
        return self._wanted is not None or self._began is not None

    @property
    def is_stuck(self) -> bool:
        """Whether a job takes longer than it should, and may never end."""
        return self._began is not None and time.monotonic() - self._began > self._patience_s

    def ask(
        self, job: Callable[[], _Result], then: Callable[[_Result | Exception], None], *, at_once: bool = False
    ) -> None:
        """Has `job` done unless something newer comes.

        Args:
            job: what may take its time.
            then: called with what it gave, or with what went wrong, where the screen is drawn.
            at_once: without the delay.
        """
        now = time.monotonic()
        with self._condition:
            self._wanted = (now if at_once else now + self._delay_s, job, then)
            if self._generation == 0 or self.is_stuck:
                self._generation += 1
                self._began = None
                threading.Thread(target=self._run, args=(self._generation,), name="checks", daemon=True).start()
            self._condition.notify_all()

    def _run(self, generation: int) -> None:
        while True:
            taken = self._take(generation)
            if taken is None:
                return
            job, then = taken
            result: _Result | Exception
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - the thread's edge: what goes wrong here is shown, and harms nothing
                result = error
            with self._condition:
                if generation != self._generation:
                    return
                self._began = None
                is_newest = self._wanted is None
            if is_newest:
                self._hand_over(_bound(then, result))

    def _take(self, generation: int) -> tuple[Callable[[], _Result], Callable[[_Result | Exception], None]] | None:
        """Waits for a job whose time has come; None once another thread does them."""
        with self._condition:
            while generation == self._generation:
                if self._wanted is None:
                    self._condition.wait()
                    continue
                at, job, then = self._wanted
                left = at - time.monotonic()
                if left <= 0:
                    self._wanted, self._began = None, time.monotonic()
                    return job, then
                self._condition.wait(left)
            return None


def _bound(then: Callable[[_Result | Exception], None], result: _Result | Exception) -> Callable[[], None]:
    return lambda: then(result)
