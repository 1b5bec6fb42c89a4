"""Bytes on their way to a terminal that may be slow, stuck or gone; the sender never waits."""

from __future__ import annotations

import os
import select
import time
from collections import deque

BEHIND_BYTES = 8 << 10
"""From here on the terminal is behind, and drawings are left out until it has caught up.

A link that stalled has to catch up on what the kernel holds (14 to 20 kB on Linux), less than this of what came before,
and one whole drawing, the one that made it fall behind or the one that is owed for those left out. A whole drawing of
160x45 cells in full colour is 10 to 30 kB, so all of it stays under 64 kB."""
_PLAIN = b"\x1b[0m"


class Outbox:
    """Holds what a non-blocking descriptor does not take yet.

    Args:
        descriptor: opened so that a write never blocks.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: deque[tuple[memoryview, bool]] = deque()
        self._begun = False
        self.held_bytes = 0
        """What the terminal has not taken yet."""
        self.lost = False
        """Whether nobody is there any more to write to."""

    @property
    def is_behind(self) -> bool:
        """Whether new drawings should wait until it has caught up."""
        return self.held_bytes >= BEHIND_BYTES

    def put(self, data: bytes, *, is_drawing: bool = False) -> None:
        """Sends `data` after what is held.

        Args:
            data: whole sequences and characters.
            is_drawing: whether a later drawing of the whole screen can stand for it.
        """
        if data and not self.lost:
            self._hold(data, is_drawing=is_drawing)
            self.flush()

    def flush(self) -> None:
        """Sends as much as is taken now."""
        while self._held and not self.lost:
            data, is_drawing = self._held[0]
            try:
                sent = os.write(self._descriptor, data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.lost = True
                break
            self.held_bytes -= sent
            self._begun = sent < len(data)
            if self._begun:
                self._held[0] = (data[sent:], is_drawing)
            else:
                self._held.popleft()
        if self.lost:
            self._forget()

    def drop_drawings(self, *, also_begun: bool) -> None:
        """Takes back the drawings that are held, for which a drawing of the whole screen is to follow.

        Args:
            also_begun: whether one whose beginning is on its way ends after the sequence and the text it has come to;
                else it goes on to its end. What has not begun is taken back in any case.
        """
        held, begun = list(self._held), self._begun
        self._forget()
        for at, (data, is_drawing) in enumerate(held):
            if not is_drawing:
                self._hold(data, is_drawing=False)
            elif at == 0 and begun:
                end = bytes(data).find(b"\x1b") if also_begun else -1
                if end >= 0:
                    data = memoryview(bytes(data[:end]) + _PLAIN)
                self._hold(data, is_drawing=end < 0)
        self._begun = begun and bool(self._held)

    def finish(self, data: bytes, within_s: float) -> bool:
        """Sends a last `data` in place of what is held, and waits for it no longer than `within_s`.

        Returns:
            Whether it was taken whole.
        """
        # A cut drawing does no harm: what follows begins with an escape, and the next screen is a cleared one.
        self._forget()
        self._hold(data, is_drawing=False)
        end = time.monotonic() + within_s
        while True:
            self.flush()
            left = end - time.monotonic()
            if not self._held or left <= 0:
                break
            select.select([], [self._descriptor], [], left)
        taken = not self._held and not self.lost
        self._forget()
        return taken

    def _hold(self, data: bytes | memoryview, *, is_drawing: bool) -> None:
        self._held.append((memoryview(data), is_drawing))
        self.held_bytes += len(data)

    def _forget(self) -> None:
        self._held.clear()
        self._begun = False
        self.held_bytes = 0
