"""The two streams of a command: stdout carries the result, stderr what is said about it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from inft.errors import DISK_ERRNOS, DiskError

# Delete, the C1 controls, and the marks that end or reorder a line. Inside JSON these occur in strings only, and JSON's
# own rules have escaped the other controls already.
_OBEYED = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def out(line: str = "") -> None:
    """One line of the result.

    Raises:
        BrokenPipeError: nobody reads stdout any more.
        DiskError: stdout is a file on a full disk.
    """
    put(line + "\n")


def put(text: str) -> None:
    """A part of the result, as it is.

    Raises:
        BrokenPipeError: nobody reads stdout any more.
        DiskError: stdout is a file on a full disk.
    """
    with reaching_stdout():
        sys.stdout.write(text)
        sys.stdout.flush()


def out_json(line: str) -> None:
    """One line of JSON, in UTF-8 whatever the locale says.

    What a terminal would obey is escaped; the JSON says the same with and without that.

    Raises:
        BrokenPipeError: nobody reads stdout any more.
        DiskError: stdout is a file on a full disk.
    """
    with reaching_stdout():
        sys.stdout.flush()
        sys.stdout.buffer.write(_OBEYED.sub(_escaped, line).encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def reaching_stdout() -> Iterator[None]:
    """Around what writes to stdout, and reads no file meanwhile.

    Raises:
        BrokenPipeError: nobody reads stdout any more: a closed pipe, a lost terminal.
        DiskError: stdout is a file on a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_ERRNOS:
            silence_stdout()
            reason = (error.strerror or str(error)).lower()
            raise DiskError(f"Could not write the output: {reason}.", "Send it to another place.") from error
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error


def err(line: str) -> None:
    """One line about the result. It is lost, and nothing else, where nobody reads stderr any more."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def end_line_of_ctrl_c() -> None:
    """The terminal has just shown `^C`; what comes next begins a line of its own."""
    if is_terminal():
        err("")


def tolerate_any_text() -> None:
    """Lets a locale without Sinhala print a Sinhala caption in escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def open_missing_streams() -> None:
    """Puts /dev/null in the place of a stream that whoever started this program closed.

    Otherwise the first file that is opened gets its number, and what is printed lands in there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one, since those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def is_terminal() -> bool:
    """Whether stdout is a terminal; one whose connection is lost no longer is."""
    return sys.stdout.isatty()


def can_draw() -> bool:
    """Whether stdout is a terminal that lines can be redrawn on."""
    return is_terminal() and os.environ.get("TERM") not in ("dumb", "unknown")


def can_color() -> bool:
    """Whether stdout is a terminal that shows colours, and nobody asked for none (no-color.org)."""
    return can_draw() and not os.environ.get("NO_COLOR")


def silence_stdout() -> None:
    """Sends the rest of stdout nowhere: its reader is gone, and the interpreter would complain about that at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def silence_lost_streams() -> None:
    """The same for each of stdout and stderr that can no longer be written to."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def shown_path(path: Path) -> str:
    """`path` as short as it can be typed from here."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
