"""Bytes on their way to a terminal that may be slow, stuck or gone; the sender never waits."""

from __future__ import annotations

import os
import select
import time

BEHIND_BYTES = 24 << 10
"""From here on the terminal is behind. With one full drawing of a large window (20 to 30 kB) and what the kernel holds,
all that a stalled link can have to catch up on stays under 64 kB."""


class Outbox:
    """Holds what a non-blocking descriptor does not take yet.

    Args:
        descriptor: opened so that a write never blocks.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self.lost = False
        """Whether nobody is there any more to write to."""

    @property
    def held_bytes(self) -> int:
        """What the terminal has not taken yet."""
        return len(self._held)

    @property
    def is_behind(self) -> bool:
        """Whether new drawings should wait until it has caught up."""
        return len(self._held) >= BEHIND_BYTES

    def put(self, data: bytes) -> None:
        """Sends `data` after what is held."""
        self._held += data
        self.flush()

    def flush(self) -> None:
        """Sends as much as is taken now."""
        while self._held and not self.lost:
            try:
                sent = os.write(self._descriptor, self._held)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.lost = True
                break
            del self._held[:sent]
        if self.lost:
            self._held.clear()

    def finish(self, data: bytes, within_s: float) -> bool:
        """Sends a last `data` in place of what is held, and waits for it no longer than `within_s`.

        Returns:
            Whether it was taken whole.
        """
        # A cut drawing does no harm: what follows begins with an escape, and the next screen is a cleared one.
        self._held[:] = data
        end = time.monotonic() + within_s
        while True:
            self.flush()
            left = end - time.monotonic()
            if not self._held or left <= 0:
                break
            select.select([], [self._descriptor], [], left)
        taken = not self._held and not self.lost
        self._held.clear()
        return taken
