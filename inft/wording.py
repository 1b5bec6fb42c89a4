"""How values and near names are worded in messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

LONGEST_VALUE = 60  # characters of a value that a message repeats; enough to recognise it by


def shown(value: object) -> str:
    """`value` as a profile would state it, short, on one line and without characters that move a terminal's cursor."""
    text = "".join(c if c.isprintable() else _escaped(c) for c in _toml_like(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def did_you_mean(names: Sequence[str]) -> str:
    """The question, or nothing when there is no near name."""
    return f"Did you mean {' or '.join(names)}?" if names else ""


def _toml_like(value: object) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_like(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {_toml_like(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of hundreds of digits"  # printing it is refused from 4300 digits on
    return str(value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
