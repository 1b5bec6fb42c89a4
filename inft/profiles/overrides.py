"""`--set table.key=value`: the key, and the value as the key's type reads it."""

from __future__ import annotations

import tomllib

from inft.profiles.knobs import FieldInfo
from inft.profiles.problems import Problem


def split_override(text: str) -> tuple[str, str] | Problem:
    """The dotted key and the raw value of one `--set`, or what is wrong with it."""
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        return Problem(f"{place(text)} is not of the form table.key=value.", "Write for instance --set sft.lr=1e-4.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # the shell passed bytes that are not UTF-8
        return Problem(f"{place(text)} is not UTF-8 text.", "Set the terminal to UTF-8, or state it in a profile.")
    return key, value


def place(text: str) -> str:
    """Where an override stands, for messages: itself, shortened and without characters that a terminal acts on."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return f"--set {clean if len(clean) <= 80 else clean[:77] + '...'}"


def read_value(info: FieldInfo, raw: str) -> object:
    """`raw` as `info`'s kind takes it.

    A TOML value where it is one of that kind; else the text itself, so that quotes may be left out: a revision `1e5`
    stays a text, and a list may be written `en,fr`.
    """
    if info.kind in ("text", "choice"):
        return read_text(raw)
    parsed = _toml_value(raw)
    if info.kind == "list" and not isinstance(parsed, list):
        return [parsed] if isinstance(parsed, str) else [part.strip() for part in raw.split(",") if part.strip()]
    return raw if parsed is None else parsed


def read_text(raw: str) -> str:
    """`raw` without its quotes, if it has any."""
    parsed = _toml_value(raw)
    return parsed if isinstance(parsed, str) else raw


def _toml_value(raw: str) -> object:
    """What TOML makes of `raw` as a value, or None."""
    try:
        table = tomllib.loads(f"v = {raw}")
    except (ValueError, RecursionError):
        return None
    return table["v"] if len(table) == 1 else None  # a newline in `raw` may have begun another key
