"""A last look at the runs as the console is left: the newest listing is up to two seconds old."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

from inft.errors import InftError
from inft.runs.directory import RunDirectory
from inft.runs.inspect import Inspector
from inft_tui.listing import Seen, Snapshot

PATIENCE_S = 0.2
"""A disk that hangs must not keep anybody."""
MOST_RUNS = 16


def parting_look(snapshot: Snapshot, logs_dir: Path, patience_s: float = PATIENCE_S) -> Snapshot:
    """`snapshot` with the runs that it missed, and as they are now those that went on by it.

    Args:
        snapshot: the newest listing.
        logs_dir: the folder of runs.
        patience_s: after so long what is known by then has to do, in seconds.
    """
    found = [snapshot]

    def look() -> None:
        found.append(_looked_again(snapshot, logs_dir))

    thread = threading.Thread(target=look, name="parting", daemon=True)
    thread.start()
    thread.join(patience_s)
    return found[-1]


def _looked_again(snapshot: Snapshot, logs_dir: Path) -> Snapshot:
    known = {seen.run.path.name for seen in snapshot.runs if seen.looked}
    runs = [_now(seen) if seen.condition is not None and seen.condition.alive else seen for seen in snapshot.runs]
    listed = {seen.run.path: place for place, seen in enumerate(runs)}
    for path in _unknown(logs_dir, known):
        seen = _now(Seen(RunDirectory(path)))
        if path in listed:
            runs[listed[path]] = seen
        else:
            runs.insert(0, seen)
    return replace(snapshot, runs=tuple(runs))


def _unknown(logs_dir: Path, known: set[str]) -> list[Path]:
    """Folders that nobody looked at yet, the newest last."""
    try:
        with os.scandir(logs_dir) as entries:
            new = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if entry.name not in known]
    except OSError:
        return []
    return [logs_dir / name for _, name in sorted(new)[-MOST_RUNS:]]


def _now(seen: Seen) -> Seen:
    try:
        return replace(seen, condition=Inspector(seen.run, brief=True).look(), looked=True)
    except InftError:
        return seen
