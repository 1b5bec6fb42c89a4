"""One line of a log as a person sees it: `console.log` as it is, `metrics.jsonl` in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from inft.runs.console_log import last_drawn
from inft.runs.jsonl import Record, strict
from inft.runs.narrate import narrate, text
from inft.runs.redact import redact
from inft.runs.visible import visible

Rendering: TypeAlias = Callable[[bytes], str]
"""Turns a line's bytes, without the newline, into text that is safe to print on one line."""

LONGEST_SHOWN = 2000
"""Characters; no terminal is so wide, and sideways scrolling ends somewhere."""

_COLOUR = re.compile(r"\x1b\[[\d;:]*[mK]")
_LOOKED_AT_BYTES = 16 << 10
_DECODER = msgspec.json.Decoder(dict[str, object])


def as_is(raw: bytes) -> str:
    r"""A line of text: tokens redacted, colours left out, tabs as blanks, other control characters written out, a long
    one cut.

    Of a progress bar, which draws over itself with carriage returns, only its last state is shown.

    >>> as_is(b" 10%|#  |\r 50%|## |\r"), as_is(b"a\x00b\xff")
    (' 50%|## |', 'a\\x00b\\xff')
    >>> as_is(b"\x1b[1;31mred\x1b[0m\tx\x1b[2J")
    'red     x\\x1b[2J'
    """
    if len(raw) > _LOOKED_AT_BYTES:
        raw = _part_that_is_shown(raw)
    line = last_drawn(raw) if b"\r" in raw else redact(raw.decode("utf-8", "backslashreplace").rstrip())
    if "\x1b" in line or "\t" in line:
        line = redact(_COLOUR.sub("", line).expandtabs())  # again: a colour may have stood within a token
    if len(line) > LONGEST_SHOWN:
        line = f"{line[:LONGEST_SHOWN]} ..."
    return visible(line)


def in_words(raw: bytes) -> str:
    """A line of `metrics.jsonl` in words, behind the time of day here; one that is no event as it is."""
    record = decoded(raw)
    if record is None or "event" not in record:
        return as_is(raw)
    words = f"{_time_of_day(record)}{narrate(record)}"
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]} ..."


def decoded(raw: bytes) -> Record | None:
    """The JSON object in a line, which may hold bare NaN as other programs write it; None if there is none."""
    try:
        return _DECODER.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return strict(record) if isinstance(record, dict) else None


def _time_of_day(record: Record) -> str:
    try:
        return f"{datetime.fromisoformat(text(record, 'ts')).astimezone():%H:%M:%S}  "
    except (ValueError, OverflowError, OSError):
        return ""


def _part_that_is_shown(raw: bytes) -> bytes:
    end = raw[-_LOOKED_AT_BYTES:].rstrip(b"\r\n")
    redrawn = end.find(b"\r")
    return end[redrawn + 1 :] if redrawn >= 0 else raw[:_LOOKED_AT_BYTES]
