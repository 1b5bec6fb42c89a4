"""One line of a log as a person sees it: `console.log` as it is, `metrics.jsonl` in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from inft.runs.console_log import last_drawn
from inft.runs.jsonl import Record, strict
from inft.runs.narrate import narrate
from inft.runs.redact import redact
from inft.runs.visible import visible

Rendering: TypeAlias = Callable[[bytes], str]
"""Turns a line's bytes, without the newline, into text that is safe to print on one line."""

LONGEST_SHOWN = 2000
"""Characters; no terminal is so wide, and sideways scrolling ends somewhere."""

_LOOKED_AT_BYTES = 16 << 10
_DECODER = msgspec.json.Decoder(dict[str, object])


def as_is(raw: bytes) -> str:
    r"""A line of text: tokens redacted, control characters written out, a long one cut.

    Of a progress bar, which draws over itself with carriage returns, only its last state is shown.

    >>> as_is(b" 10%|#  |\r 50%|## |\r"), as_is(b"a\x00b\xff")
    (' 50%|## |', 'a\\x00b\\xff')
    """
    if len(raw) > _LOOKED_AT_BYTES:
        raw = _part_that_is_shown(raw)
    text = last_drawn(raw) if b"\r" in raw else redact(raw.decode("utf-8", "backslashreplace").rstrip())
    if len(text) > LONGEST_SHOWN:
        text = f"{text[:LONGEST_SHOWN]} ..."
    return visible(text)


def in_words(raw: bytes) -> str:
    """A line of `metrics.jsonl` in words; one that is no event as it is."""
    record = decoded(raw)
    if record is None or "event" not in record:
        return as_is(raw)
    text = narrate(record)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


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


def _part_that_is_shown(raw: bytes) -> bytes:
    end = raw[-_LOOKED_AT_BYTES:].rstrip(b"\r\n")
    redrawn = end.find(b"\r")
    return end[redrawn + 1 :] if redrawn >= 0 else raw[:_LOOKED_AT_BYTES]
