"""The runs of a folder as a listing that keeps up with them, at a cost that does not grow with what has ended."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from operator import is_not
from pathlib import Path

import msgspec

from inft.errors import ConfigError, DiskError, InftError
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.find import Found, all_runs
from inft.runs.follow import last_events
from inft.runs.inspect import Inspector
from inft_tui.words import Latest, latest

CURVE_POINTS = 24
"""Of the sparkline; each is one line of the file, wherever in it that is."""
BLOCK_BYTES = 2048
"""A log line has about 500 bytes; this much holds a whole one unless others are between."""
LISTING_S = 2.0
"""Between two looks for new runs where the folder's own time of change does not tell (network shares)."""
CURVE_S = 5.0
"""Between two sparklines of a run that goes on."""

_Signature = tuple[tuple[int, int], ...]
"""When each of a run's files changed, and its size."""


@dataclass(frozen=True)
class Seen:
    """What is known of one run.

    Attributes:
        run: the run.
        created: when, as ISO 8601; empty if unknown.
        profile: what it runs; empty if unknown.
        condition: what it is doing; None while nobody looked, and where it cannot be told.
        news: what its newest events tell.
        curve: the loss from its beginning to now, at about equal distances.
        problem: why its state cannot be told; None if it can.
        looked: whether anybody looked yet.
    """

    run: RunDirectory
    created: str = ""
    profile: str = ""
    condition: Condition | None = None
    news: Latest = field(default_factory=Latest)
    curve: tuple[float, ...] = ()
    problem: InftError | None = None
    looked: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The listing at one moment.

    Attributes:
        runs: the newest first.
        done: whether every run was looked at.
        problem: why the folder cannot be read; None if it can.
    """

    runs: tuple[Seen, ...] = ()
    done: bool = False
    problem: DiskError | None = None


class Listing:
    """Reads a folder of runs in slices.

    Args:
        logs_dir: the folder.
    """

    def __init__(self, logs_dir: Path) -> None:
        self.logs_dir = logs_dir
        self._entries: dict[Path, _Entry] = {}
        self._order: list[Path] = []
        self._folder_changed: int | None = None
        self._listed = float("-inf")
        self._problem: DiskError | None = None
        self._waiting: list[_Entry] = []
        self._seen: tuple[Seen, ...] = ()

    def read(self, budget_s: float) -> Snapshot:
        """Looks at the folder and at as many runs as `budget_s` allows, the newest first; the rest waits its turn."""
        end = time.monotonic() + budget_s
        self._list()
        if not self._waiting:
            self._waiting = [entry for entry in map(self._entries.__getitem__, self._order) if entry.is_due()]
            self._waiting.reverse()
        while self._waiting:
            entry = self._waiting.pop()
            if entry.found.run.path in self._entries:
                entry.look()
            if time.monotonic() >= end:
                break
        seen = tuple(self._entries[path].seen for path in self._order)
        if len(seen) != len(self._seen) or any(map(is_not, seen, self._seen)):
            self._seen = seen  # the same listing is the same object, so that whoever draws it sees at once
        return Snapshot(self._seen, not self._waiting, self._problem)

    def _list(self) -> None:
        now = time.monotonic()
        try:
            changed = os.stat(self.logs_dir).st_mtime_ns
        except OSError:
            changed = 0
        if changed == self._folder_changed and now - self._listed < (LISTING_S if self._recently(changed) else 60.0):
            return
        try:
            found = all_runs(self.logs_dir)
            self._problem = None
        except DiskError as problem:
            found, self._problem = [], problem
        self._folder_changed, self._listed = changed, now
        known = self._entries
        self._entries = {}
        for item in reversed(found):
            path = item.run.path
            old = known.get(path)
            self._entries[path] = old if old is not None and old.found.record == item.record else _Entry(item)
        self._order = list(self._entries)

    @staticmethod
    def _recently(changed_ns: int) -> bool:
        """A run made in the same tick of the file system's clock as the last look would not show."""
        return time.time_ns() - changed_ns < 10_000_000_000


class _Entry:
    """One run, and what it takes to know whether it has changed."""

    def __init__(self, found: Found) -> None:
        self.found = found
        profile = found.record.profile if found.record is not None else ""
        self.seen = Seen(found.run, found.created, profile)
        self._inspector: Inspector | None = None
        self._signature: _Signature = ()
        self._curve_at = float("-inf")

    def is_due(self) -> bool:
        """Whether it may be other than at the last look: one that has ended only when its files changed."""
        condition = self.seen.condition
        return (condition is not None and condition.alive) or self._signature != self._now()

    def look(self) -> None:
        """Looks at it."""
        before, self._signature = self._signature, self._now()
        news_is_old = self._signature[:2] != before[:2]
        run = self.found.run
        try:
            if self.found.problem is not None:
                raise self.found.problem
            if self._inspector is None:
                self._inspector = Inspector(run, self.found.record, brief=True)
            condition = without_its_age(self._inspector.look())
        except (ConfigError, DiskError) as problem:
            self.seen = Seen(run, self.seen.created, self.seen.profile, problem=problem, looked=True)
            return
        seen = self.seen
        if seen.looked and self._signature == before and condition == seen.condition:
            return  # the same listing is the same object, and nothing is drawn for it
        news = latest(last_events(run)) if news_is_old else seen.news
        curve = seen.curve
        if news_is_old and (not condition.alive or time.monotonic() - self._curve_at >= CURVE_S):
            curve, self._curve_at = losses(run.metrics), time.monotonic()
        self.seen = Seen(run, seen.created, seen.profile, condition, news, curve, looked=True)

    def _now(self) -> _Signature:
        """Of what is shown, and where it goes on of the samples of its machine, which may be to warn of."""
        run, condition = self.found.run, self.seen.condition
        files = [run.status_json, run.metrics]
        if condition is not None and condition.alive:
            files.append(run.hardware)
        return tuple(map(_changed, files))


def without_its_age(condition: Condition) -> Condition:
    """`condition` without what changes with nothing but the clock: a stall is counted in minutes."""
    stalled = condition.stalled_sec
    if stalled is not None:
        stalled = stalled // 60 * 60 if stalled >= 60 else stalled // 1
    return replace(condition, heartbeat_age=None, stalled_sec=stalled)


def _changed(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def losses(metrics: Path, count: int = CURVE_POINTS) -> tuple[float, ...]:
    """The loss at about `count` places of a file of events, evenly apart in bytes; none where it cannot be read.

    A long run costs as much as a short one.
    """
    try:
        descriptor = os.open(metrics, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        size = os.fstat(descriptor).st_size
        if size <= count * BLOCK_BYTES:
            block = os.pread(descriptor, size, 0)
            every = [loss for line in block.splitlines() if (loss := _loss(line)) is not None]
            step = max(1, len(every) // count)
            return tuple(every[::step])
        found = []
        for number in range(count):
            at = (size - BLOCK_BYTES) * number // (count - 1)
            lines = os.pread(descriptor, BLOCK_BYTES, at).split(b"\n")
            # The first and the last are cut, unless the file begins or ends there.
            whole = lines[0 if at == 0 else 1 : -1]
            loss = next((loss for line in whole if (loss := _loss(line)) is not None), None)
            if loss is not None:
                found.append(loss)
        return tuple(found)
    except OSError:
        return ()
    finally:
        os.close(descriptor)


class _Log(msgspec.Struct):
    """What of a line matters for the curve."""

    event: str = ""
    loss: float | None = None


_DECODER = msgspec.json.Decoder(_Log)


def _loss(line: bytes) -> float | None:
    try:
        log = _DECODER.decode(line)
    except ValueError:
        return None
    return log.loss if log.event == "log" else None
