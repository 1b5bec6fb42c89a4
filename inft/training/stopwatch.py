"""Where the time of a step goes, on the device's own time line and without waiting for the device.

The processor runs ahead of a GPU: what it measures by its own clock is how long it took to ask for work, not how long
the work took. So marks are put between the GPU's work, and read when they have long been passed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

import torch

Part = Literal["data", "forward", "backward", "optimizer", "rest"]
"""What a step's time is spent on; rest = whatever is no part of a step, such as a checkpoint."""


class Mark(Protocol):
    """A moment on the device's time line."""

    def is_past(self) -> bool:
        """Whether the device has got there."""

    def wait(self) -> None:
        """Returns when it has."""

    def seconds_until(self, later: Mark) -> float:
        """From this moment to another one; both are past."""


class Stopwatch:
    """One part of a step follows the other, and each takes until the next begins.

    Args:
        mark: makes a mark of this moment.
    """

    def __init__(self, mark: Callable[[], Mark]) -> None:
        self._mark = mark
        self._waiting: deque[tuple[Part, Mark]] = deque()
        self._seconds: dict[Part, float] = {}
        self.restart()

    def restart(self) -> None:
        """Forgets what was measured; what is done now belongs to no part."""
        self._waiting.clear()
        self._waiting.append(("rest", self._mark()))
        self._seconds = dict.fromkeys(("data", "forward", "backward", "optimizer", "rest"), 0.0)

    def begin(self, part: Part, *, after: Part | None = None) -> None:
        """What the device is given from here on belongs to `part`.

        Args:
            part: what begins.
            after: what must have been under way; if it was not, nothing changes. None = whatever it was.
        """
        if after is not None and self._waiting[-1][0] != after:
            return
        self._waiting.append((part, self._mark()))
        self._settle()

    def take(self) -> dict[Part, float]:
        """Seconds of each part since the last call; waits until the device has done what it was given."""
        self.begin("rest")
        self._waiting[-1][1].wait()
        self._settle()
        seconds = self._seconds
        self._seconds = dict.fromkeys(seconds, 0.0)
        return seconds

    def _settle(self) -> None:
        """Adds up what lies between marks that are past, so that never more of them wait than the device is behind."""
        while len(self._waiting) > 1 and self._waiting[1][1].is_past():
            part, since = self._waiting.popleft()
            self._seconds[part] += since.seconds_until(self._waiting[0][1])


def stopwatch_of(device: torch.device) -> Stopwatch:
    """A stopwatch on the time line of a GPU, or of the processor, which does its work before it goes on."""
    return Stopwatch(_GpuMark if device.type == "cuda" else _ClockMark)


class _ClockMark:
    def __init__(self) -> None:
        self._at = time.perf_counter()

    def is_past(self) -> bool:
        return True

    def wait(self) -> None:
        pass

    def seconds_until(self, later: Mark) -> float:
        assert isinstance(later, _ClockMark)
        return later._at - self._at


class _GpuMark:
    def __init__(self) -> None:
        self._event = torch.cuda.Event(enable_timing=True)
        self._event.record()

    def is_past(self) -> bool:
        return self._event.query()

    def wait(self) -> None:
        self._event.synchronize()

    def seconds_until(self, later: Mark) -> float:
        assert isinstance(later, _GpuMark)
        return self._event.elapsed_time(later._event) / 1e3
