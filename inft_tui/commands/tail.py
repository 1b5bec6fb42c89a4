"""`tail`: the last lines of a run, in words or as they are, and those to come."""

from __future__ import annotations

import itertools
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inft.errors import ConfigError, ExitCode
from inft.runs.console_log import last_drawn
from inft.runs.directory import RunDirectory
from inft.runs.find import find_run
from inft.runs.inspect import Inspector
from inft.runs.jsonl import JsonlReader
from inft.runs.narrate import Narrator
from inft.runs.records import unreadable
from inft.runs.redact import redact
from inft.runs.status import read_status
from inft.runs.text import TextReader
from inft.runs.visible import visible
from inft.wording import shown
from inft_tui.terminal import end_line_of_ctrl_c, out, out_json

DEFAULT_LINES = "20"
ALL = "all"
POLL_S = 0.2

_EVENTS = 200
_CONSOLE_BYTES = 64 << 10
_ALL_EFFORT = 14
"""A try with this many steps back reaches the beginning of any file."""


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        follow: stay until the run has ended.
        count: lines to begin with, or `all`.
        grep: show only lines that this regular expression is found in; None = all.
        as_json: the events as they are.
        console: the trainer's own output instead of its events.
    """

    follow: bool = False
    count: str = DEFAULT_LINES
    grep: str | None = None
    as_json: bool = False
    console: bool = False


def run(name: str, logs_dir: Path | None, request: Request) -> int:
    """Prints lines of a run.

    Raises:
        ConfigError: there is no such run, it is damaged, or the request makes no sense.
        DiskError: it cannot be read.
    """
    count, wanted = _count(request.count), _filter(request.grep)
    if request.as_json and request.console:
        raise ConfigError("--json and --console exclude each other.", "The console log is no JSON; leave one out.")
    directory = find_run(name, logs_dir)
    inspector = Inspector(directory)  # so that a folder that is no run says so
    say = out_json if request.as_json else out
    path = directory.console_log if request.console else directory.metrics
    try:
        source = _Console(directory) if request.console else _Events(directory, as_json=request.as_json)
        _tell(source, inspector, count, wanted, say, follow=request.follow)
    except KeyboardInterrupt:
        end_line_of_ctrl_c()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unreadable(error, visible(str(path))) from error
    return ExitCode.FINISHED


class _Source(Protocol):
    """What lines are read from."""

    def open(self, effort: int) -> None:
        """Begins anew near the end of the file, eight times as far from it with every effort."""

    def read(self) -> list[str] | None:
        """What is new, as it is shown; None = nothing was written."""

    @property
    def from_start(self) -> bool:
        """Whether what was read since `open` was all there is."""


class _Events:
    """The events of a run, in words or as they are."""

    def __init__(self, run: RunDirectory, *, as_json: bool) -> None:
        self._path = run.metrics
        self._as_json = as_json
        status = read_status(run.status_json)
        self._max_steps = None if status is None else status.max_steps
        self._reader: JsonlReader | None = None
        self._narrator = Narrator()
        self._room = self._read = 0

    def open(self, effort: int) -> None:
        if self._reader is not None:
            self._reader.close()
        self._room, self._read = _EVENTS * 8**effort, 0
        self._reader = JsonlReader.at_tail(self._path, self._room)
        self._narrator = Narrator(self._max_steps)

    def read(self) -> list[str] | None:
        assert self._reader is not None
        chunk = self._reader.read()
        self._read += len(chunk.lines) + chunk.skipped
        if not (chunk.lines or chunk.more):
            return None
        if self._as_json:
            return [redact(line.text) for line in chunk.lines]
        return [words for line in chunk.lines if (words := self._narrator.line(line.record)) is not None]

    @property
    def from_start(self) -> bool:
        return self._read < self._room


class _Console:
    """What the trainer printed."""

    def __init__(self, run: RunDirectory) -> None:
        self._path = run.console_log
        self._reader: TextReader | None = None

    def open(self, effort: int) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = TextReader(self._path, _CONSOLE_BYTES * 8**effort)

    def read(self) -> list[str] | None:
        assert self._reader is not None
        return [visible(last_drawn(line)) for line in self._reader.read()] or None

    @property
    def from_start(self) -> bool:
        return self._reader is not None and self._reader.from_start


def _tell(
    source: _Source,
    inspector: Inspector,
    count: int | None,
    wanted: re.Pattern[str] | None,
    say: Callable[[str], None],
    *,
    follow: bool,
) -> None:
    def news() -> list[str] | None:
        lines = source.read()
        return lines if lines is None or wanted is None else [line for line in lines if wanted.search(line)]

    # `count` lines that are shown may be few of those that are there, so their beginning is felt for.
    for effort in itertools.count(_ALL_EFFORT if count is None else 0):
        source.open(effort)
        last: deque[str] = deque(maxlen=count)
        found = 0
        while (lines := news()) is not None:
            found += len(lines)
            last.extend(lines)
            if count is None:
                # Told as it comes: all of a log may be more than fits into memory.
                while last:
                    say(last.popleft())
        if count is None or found >= count or source.from_start:
            break
    for line in last:
        say(line)
    while follow:
        # Asked before reading: what a run wrote before it ended is then certainly read after.
        follow = inspector.look().alive
        while (lines := news()) is not None:
            for line in lines:
                say(line)
        if follow:
            time.sleep(POLL_S)


def _count(text: str) -> int | None:
    if text == ALL:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise ConfigError(f"-n {shown(text)} is no number of lines.", "Give a whole number from 0, or `all`.")


def _filter(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"--grep {shown(pattern)} is no regular expression: {error}.", "Put a backslash before special characters."
        ) from None
