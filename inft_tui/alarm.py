"""What happened to the runs while the console was open: kept, said below every screen, rung, and read at some time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from inft.runs.clock import utc_now
from inft_tui.deeds import Outcome
from inft_tui.display.spans import EMPTY, Line
from inft_tui.listing import Seen, Snapshot
from inft_tui.worker import Worker

if TYPE_CHECKING:
    from inft_tui.sentry import News, Sentry

MOST_NEWS = 200
READ_S = 2.0
"""An alert stays at least so long: the key that is being pressed as it comes is no sign that it was read."""


class Alarm:
    """What happened, and how much of it was read.

    Attributes:
        opened: since when it is looked.
        news: the last alerts, the newest last.
        heard_at: when the newest came, on the clock of `time.monotonic`.
        rings: whether the bell rings when something happens.

    Args:
        worker: the thread that reads.
        ring: rings.
        changed: told when something happened.
        rings: see above.
    """

    def __init__(
        self, worker: Worker, ring: Callable[[], None], changed: Callable[[], None], *, rings: bool = False
    ) -> None:
        self.opened = utc_now()
        self.news: deque[News] = deque(maxlen=MOST_NEWS)
        self.rings = rings
        self._worker = worker
        self._ring = ring
        self._changed = changed
        self._sentry: Sentry | None = None
        self._fresh: list[News] = []
        self.heard_at = float("-inf")
        self._unread = 0
        self._looked_at: tuple[Seen, ...] | None = None

    def look(self, snapshot: Snapshot) -> None:
        """Has what the listing shows looked through; what is as it was costs nothing, and holds no run that goes on."""
        if snapshot.runs is not self._looked_at:
            self._looked_at = snapshot.runs
            self._worker.ask(lambda: self._news_of(snapshot), self.hear)

    def hear(self, news: list[News]) -> None:
        """Something happened."""
        if not news:
            return
        self.news += news
        self._fresh += news
        self.heard_at = time.monotonic()
        self._unread = min(self._unread + len(news), MOST_NEWS)
        if self.rings and any(item.alert.level != "info" or item.alert.kind == "finished" for item in news):
            self._ring()
        self._changed()

    def toggle(self) -> Outcome:
        """Lets the bell ring from now on, and once to hear it, or no more."""
        self.rings = not self.rings
        if self.rings:
            self._ring()
        words = "The bell rings when something happens." if self.rings else "The bell is off."
        return Outcome(words, went_well=True)

    def notice(self, key: str) -> Line:
        """What is to be said below the screen; nothing where nothing is new.

        Args:
            key: that leads to the list, as it is printed; empty = none does.
        """
        if not self._fresh:
            return EMPTY
        from inft_tui.alert_lines import notice

        return notice(self._fresh, key)

    def mark(self, key: str) -> Line:
        """How many nobody has read yet in the list."""
        return ((f" {key} {self._unread} ", "ask"),) if self._unread else EMPTY

    def press(self) -> None:
        """A key was pressed, so what is said was read."""
        if time.monotonic() - self.heard_at >= READ_S:
            self._fresh.clear()

    def read(self) -> None:
        """The list was read."""
        self._unread = 0
        self._fresh.clear()

    def _news_of(self, snapshot: Snapshot) -> list[News]:
        if self._sentry is None:
            # Curves and the rules for them are not for the first screen to wait for.
            from inft_tui.sentry import Sentry

            self._sentry = Sentry()
        return self._sentry.look(snapshot)
