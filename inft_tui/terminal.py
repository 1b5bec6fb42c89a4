"""The two streams of a command: stdout carries the result, stderr what is said about it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path


def out(line: str = "") -> None:
    """One line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def out_json(line: str) -> None:
    """One line of JSON, in UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(line.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


def err(line: str) -> None:
    """One line about the result. It is lost, and nothing else, where nobody reads stderr any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def tolerate_any_text() -> None:
    """Lets a locale without Sinhala print a Sinhala caption in escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_draw() -> bool:
    """Whether stdout is a terminal that lines can be redrawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def silence_stdout() -> None:
    """Sends the rest of stdout nowhere: its reader is gone, and the interpreter would complain about that at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def shown_path(path: Path) -> str:
    """`path` as short as it can be typed from here."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
