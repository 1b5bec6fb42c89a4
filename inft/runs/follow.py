"""Watches a run until it has ended and its last line is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from inft.runs.directory import RunDirectory
from inft.runs.events import EndState
from inft.runs.jsonl import JsonlReader, Line, Record

POLL_S = 0.1
"""Soon enough for a progress bar; ten looks a second at an unchanged file cost 0.1 % of a core."""

LAST_EVENTS = (40, 4000)
"""How many are looked at first, and how many if there is no log line among those."""


def follow(run: RunDirectory, alive: Callable[[], bool], poll_s: float = POLL_S) -> Iterator[tuple[Line, ...]]:
    """The events of `run`, as they are written.

    Args:
        run: the run; its `metrics.jsonl` need not exist yet.
        alive: whether it goes on.
        poll_s: pause between two looks, in seconds.

    Yields:
        The lines since the last look, at every look: empty when there was nothing new, so that a caller can keep a
        clock going. After the last line of a run that has ended it stops.

    Raises:
        OSError: the file is there and cannot be read.
    """
    with JsonlReader(run.metrics) as reader:
        while True:
            # Asked before reading: what a process wrote before it ended is then certainly read after.
            last_look = not alive()
            chunk = reader.read()
            yield chunk.lines
            if chunk.more:
                continue
            if last_look:
                return
            time.sleep(poll_s)


def last_events(run: RunDirectory) -> list[Record]:
    """The last events of `run`, oldest first, without reading all before; none where they cannot be read.

    The newest log line is among them if at all possible: after it may come a checkpoint, captions and the end.
    """
    events: list[Record] = []
    for count in LAST_EVENTS:
        try:
            events = _tail(run, count)
        except OSError:
            break
        if len(events) < count or any(event.get("event") == "log" for event in events):
            break
    return events


def told_end(events: Sequence[Record]) -> EndState | None:
    """How the training ended that `events`, the last ones of a run, tell of; None if it goes on by them."""
    for event in reversed(events):
        if event.get("event") == "train_begin":
            break
        if event.get("event") == "train_end":
            return next((state for state in get_args(EndState) if event.get("state") == state), None)
    return None


def _tail(run: RunDirectory, count: int) -> list[Record]:
    reader = JsonlReader.at_tail(run.metrics, count)
    try:
        events: list[Record] = []
        more = True
        while more:
            chunk = reader.read()
            events += [line.record for line in chunk.lines]
            more = chunk.more and bool(chunk.lines)
        return events
    finally:
        reader.close()
