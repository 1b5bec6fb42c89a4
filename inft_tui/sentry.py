"""Watches every run that goes on, whatever screen is shown, and tells once what a person should know at once.

Reads only the end of a run's files and what is written behind it; a thread does it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from inft.runs.clock import utc_now
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import NONFINITE, Chunk, JsonlReader, Record
from inft.runs.narrate import number, text
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.feeds.alerts import WINDOW, Alert, Kind, Level, Reading, Watch
from inft_tui.feeds.curves import STEP
from inft_tui.feeds.facts import RunFacts
from inft_tui.listing import Seen, Snapshot

HARDWARE_LINES = 20
"""What a card's highest clock is told from, before anything new comes."""
CHUNK_BYTES = 256 << 10
"""At a look; about 500 steps, which no run does in a second."""
SAME_S = 30.0
"""Within this time two runs that tell the same of one card are one alert."""
ENDS: frozenset[Kind] = frozenset({"finished", "stopped", "failed"})
"""What a person waits for; a warning of the same moment must not hide it."""
CLOCKS_APART = timedelta(minutes=1)
"""By how much the clock of a run's machine may be behind ours."""


@dataclass(frozen=True, slots=True)
class News:
    """An alert of one run.

    Attributes:
        moment: when it was noticed.
        run: whose it is.
        alert: what it says.
    """

    moment: datetime
    run: RunDirectory
    alert: Alert


class Sentry:
    """Watches the runs of a listing. What was before it came is no news.

    Args:
        now: the present moment.
        clock: a steady clock, in seconds.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now, clock: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._clock = clock
        self._began = now()
        self._knows_all = False
        self._posts: dict[Path, _Post] = {}
        self._over: set[Path] = set()
        self._said: dict[tuple[str, str, Path | None], tuple[float, Path]] = {}

    def look(self, snapshot: Snapshot) -> list[News]:
        """What is new, the newest last."""
        if snapshot.problem is not None:
            return []  # of the runs that are not listed nothing is known
        news: list[News] = []
        paths = set()
        for seen in snapshot.runs:
            path, condition = seen.run.path, seen.condition
            paths.add(path)
            if condition is None or path in self._over:
                continue
            post = self._posts.get(path)
            if post is None:
                if not condition.alive and not self._is_new(seen):
                    self._over.add(path)
                    continue
                post = self._posts[path] = _Post(seen.run, is_new=self._is_new(seen))
            for alert in post.look(seen, condition):
                if not self._was_said(alert, path, condition):
                    news.append(News(self._now(), seen.run, alert))
            if not condition.alive:
                self._over.add(path)
                self._posts.pop(path).close()
        for path in [path for path in self._posts if path not in paths]:
            self._posts.pop(path).close()
        self._knows_all |= snapshot.done
        return news

    def close(self) -> None:
        """Lets go of the files."""
        for post in self._posts.values():
            post.close()
        self._posts.clear()

    def _is_new(self, seen: Seen) -> bool:
        """Whether a run was made since; one that was copied here was not."""
        if not self._knows_all:
            return False
        try:
            return datetime.fromisoformat(seen.created) >= self._began - CLOCKS_APART
        except (ValueError, TypeError):
            return False

    def _was_said(self, alert: Alert, path: Path, condition: Condition) -> bool:
        """Whether another run has told the same of the same card or disk just now."""
        if not alert.subject:
            return False
        key = (alert.kind, alert.subject, path if condition.elsewhere else None)  # two machines each have a GPU 0
        at, by = self._said.get(key, (-math.inf, path))
        if by != path and self._clock() - at < SAME_S:
            return True
        self._said[key] = (self._clock(), path)
        return False


class _Post:
    """What is watched of one run."""

    def __init__(self, run: RunDirectory, *, is_new: bool) -> None:
        self._watch = Watch()
        self._metrics = _Lines(run.metrics, 0 if is_new else WINDOW)
        self._hardware = _Lines(run.hardware, 0 if is_new else HARDWARE_LINES)
        self._is_history = not is_new

    def look(self, seen: Seen, condition: Condition) -> list[Alert]:
        """What is to be told now."""
        is_history, self._is_history = self._is_history, False
        chunk = self._metrics.read()
        records = [line.record for line in chunk.lines]
        losses = list(_losses(records))
        facts = RunFacts(
            run_id=visible(seen.run.run_id),
            state=condition.state,
            condition=condition,
            step=condition.step,
            max_steps=condition.max_steps,
            cause=condition.cause,
            loss=seen.news.loss,
        )
        is_past = is_history or chunk.restarted
        said = [] if is_past else [_told(record) for record in records if _is_warning(record)]
        steps = [step for step, _ in losses]
        said += self._watch.look(Reading(facts, steps, [loss for _, loss in losses], is_history=is_past))
        hardware = self._hardware.read()
        for line in hardware.lines:
            said += self._watch.look(Reading(facts, hardware=line.record, is_history=is_history or hardware.restarted))
        return said

    def close(self) -> None:
        """Lets go of its files."""
        self._metrics.close()
        self._hardware.close()


class _Lines:
    """A file from near its end on; one that cannot be read just now has nothing new."""

    def __init__(self, path: Path, lines: int) -> None:
        self._path = path
        self._lines = lines
        self._reader: JsonlReader | None = None

    def read(self) -> Chunk:
        """What is new."""
        try:
            if self._reader is None:
                self._reader = JsonlReader.at_tail(self._path, self._lines) if self._lines else JsonlReader(self._path)
            return self._reader.read(CHUNK_BYTES)
        except OSError:
            return Chunk()

    def close(self) -> None:
        """Lets go of it."""
        if self._reader is not None:
            self._reader.close()


def most_urgent(news: Sequence[News]) -> News:
    """Of several, the one to show where there is room for one: errors and ends first, the newest of its kind."""
    order: dict[Level, int] = {"info": 0, "warning": 1, "error": 2}

    def urgency(place: int) -> tuple[bool, bool, int, bool, int]:
        alert = news[place].alert
        grave = alert.kind in ("divergence", "stall")
        return alert.level == "error", alert.kind in ENDS, order[alert.level], grave, place

    return news[max(range(len(news)), key=urgency)]


def _losses(records: Sequence[Record]) -> Iterator[tuple[float, float]]:
    """Steps and losses of log lines; NaN where the loss was not finite."""
    for record in records:
        step = number(record, STEP)
        if record.get("event") != "log" or step is None:
            continue
        loss = number(record, "loss")
        missing = record.get(NONFINITE)
        if loss is not None:
            yield step, float(loss)
        elif isinstance(missing, list) and "loss" in missing:
            yield step, math.nan


def _is_warning(record: Record) -> bool:
    """Whether a run itself warns; its errors end it, and are told with its end."""
    return record.get("event") == "alert" and record.get("level") == "warning"


def _told(record: Record) -> Alert:
    message, fix = (visible(redact(text(record, key))) for key in ("message", "fix"))
    return Alert("told", "warning", message, fix)
