"""Which logs there are of a run, or beside another program's log, and how each is shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.errors import InftError
from inft.runs.directory import RunDirectory
from inft.runs.inspect import Inspector
from inft.runs.launch import supervisor_log
from inft.runs.visible import visible
from inft_tui.logs.shown import Rendering, as_is, in_words

_TEXT = frozenset({".log", ".txt", ".out", ".err", ".jsonl"})
_MOST_FOREIGN = 9


@dataclass(frozen=True)
class LogKind:
    """One log.

    Attributes:
        name: as it is shown, safe to show.
        path: the file; it need not exist yet.
        rendering: how its lines are shown.
        writer: who writes it and when, for whoever finds it empty.
    """

    name: str
    path: Path
    rendering: Rendering = as_is
    writer: str = ""


def logs_of(path: Path) -> tuple[LogKind, ...]:
    """The logs of a run's folder, of another program's folder, or the one that a file is; at least one.

    Args:
        path: the folder, or the file.
    """
    run = RunDirectory(path)
    # os.path answers "no" for what may not be looked at, where pathlib raises.
    if os.path.exists(run.run_json) or os.path.exists(run.status_json) or not os.path.exists(path):
        return (
            LogKind("console.log", run.console_log, writer="The trainer writes it as soon as it starts."),
            LogKind("events", run.metrics, in_words, "The trainer writes them as soon as it loads the model."),
            LogKind("supervisor.log", supervisor_log(run), writer="It stays empty as long as nothing goes wrong."),
            LogKind("hardware", run.hardware, writer="The supervisor writes it every few seconds."),
        )
    if os.path.isdir(path):
        logs = tuple(LogKind(visible(entry.name), entry) for entry in _newest_first(path))
        if logs:
            return logs
    return (LogKind(visible(path.name), path),)


def most_useful(path: Path, logs: Sequence[LogKind]) -> int:
    """Which of its logs to open first: of a run its events in words, or where it failed what it printed.

    Args:
        path: the run's folder, or what else `logs_of` was asked about.
        logs: what that said.
    """
    run = RunDirectory(path)
    places = {kind.path: place for place, kind in enumerate(logs)}
    console, metrics = places.get(run.console_log), places.get(run.metrics)
    if console is None or metrics is None:
        return 0
    wanted = (console, metrics) if _failed(run) else (metrics, console)
    return next((place for place in wanted if _has_content(logs[place].path)), console)


def _failed(run: RunDirectory) -> bool:
    try:
        return Inspector(run, brief=True).look().state == "failed"
    except InftError:
        return False


def _has_content(path: Path) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _newest_first(folder: Path) -> list[Path]:
    """The files of a folder that look like logs; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (entry.stat().st_mtime_ns, folder / entry.name)
                for entry in entries
                if os.path.splitext(entry.name)[1] in _TEXT and entry.is_file()
            ]
    except OSError:
        return []
    return [path for _, path in sorted(found, reverse=True)[:_MOST_FOREIGN]]
