"""The end of a run's `console.log`, for who must say why a trainer is gone."""

from __future__ import annotations

import os
from pathlib import Path

from inft.runs.redact import redact
from inft.runs.visible import visible

LINES = 20
"""A Python traceback's last frames and its message."""

_LONGEST_LINE = 500
_LOOK_BACK_BYTES = 64 << 10


def last_lines(path: Path, count: int = LINES) -> tuple[str, ...]:
    """The last lines of `path` that are not empty, safe to show: tokens redacted, control characters written out.

    Of a progress bar, which draws over itself with carriage returns, only its last state counts. Long lines are cut.
    A file that cannot be read has no lines.
    """
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LOOK_BACK_BYTES)
            file.seek(start)
            content = file.read(_LOOK_BACK_BYTES)
    except OSError:
        return ()
    lines = content.split(b"\n")
    whole = lines[1:] if start else lines
    shown = (_shown(line) for line in whole)
    return tuple(line for line in shown if line)[-count:]


def last_drawn(line: bytes) -> str:
    """The text of a line, tokens redacted, but not yet safe to show.

    Of a progress bar, which draws over itself with carriage returns, a terminal would show only the last state.
    """
    drawn = [state for state in line.split(b"\r") if state.strip()]
    return redact(drawn[-1].decode("utf-8", "backslashreplace").rstrip()) if drawn else ""


def _shown(line: bytes) -> str:
    text = last_drawn(line)
    return visible(text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + " ...")
