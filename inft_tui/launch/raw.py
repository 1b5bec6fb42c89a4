"""A value as it is typed: just what stands behind `--set key=`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches

import msgspec

from inft.profiles import FieldInfo
from inft.profiles.knobs import convert
from inft.profiles.overrides import read_value
from inft.wording import did_you_mean

_PLAIN_ENTRY = re.compile(r"[\w./:-]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def raw_text(info: FieldInfo, value: object) -> str:
    """`value` as `read` takes it again, with as few quotes as that allows."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_quoted(text)}' for key, text in value.items())}}}"
    if isinstance(value, tuple):
        if value and all(_PLAIN_ENTRY.fullmatch(entry) for entry in value):
            plain = ", ".join(value)
            if read(info, plain) == value:
                return plain
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, str):
        return value if value.isprintable() and _reads_as(info, value, value) else _quoted(value)
    return str(value)


def read(info: FieldInfo, raw: str) -> object:
    """The value that `raw` stands for.

    Raises:
        msgspec.ValidationError: it is none that this key can have.
    """
    return convert(info, read_value(info, raw.strip()))


def refusal(info: FieldInfo, raw: str) -> str:
    """Why `raw` is no value of this key, in one sentence; empty if it is one."""
    try:
        read(info, raw)
    except msgspec.ValidationError:
        near = get_close_matches(raw.strip().strip('"').lower(), info.choices, n=1)
        return f"It must be {info.allowed}. {did_you_mean(near)}".rstrip()
    return ""


def number_text(value: float) -> str:
    """A number in the shorter of its two notations, nothing lost.

    >>> number_text(0.00015), number_text(1e-6), number_text(0.1), number_text(600.0)
    ('1.5e-4', '1e-6', '0.1', '600')
    """
    plain = repr(value).removesuffix(".0")
    exact = (f"{value:.{digits}e}" for digits in range(17) if float(f"{value:.{digits}e}") == value)
    mantissa, _, exponent = next(exact).partition("e")
    scientific = f"{mantissa}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) and abs(value) < 1 else plain


def _reads_as(info: FieldInfo, raw: str, value: object) -> bool:
    try:
        return read(info, raw) == value
    except msgspec.ValidationError:
        return False


def _quoted(text: str) -> str:
    # TOML wants this one escaped, and JSON does not.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _quoted(text)
