"""A parameter's value as a profile would state it, in full and on one line."""

from __future__ import annotations

import json
from collections.abc import Mapping

from inft.runs.visible import visible


def value_text(value: object) -> str:
    """`value` in TOML's notation.

    >>> value_text(None), value_text(True), value_text(("a", "b")), value_text({"en": "English"})
    ('"none"', 'true', '["a", "b"]', '{en = "English"}')
    """
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{visible(str(key))} = {value_text(item)}' for key, item in value.items())}}}"
    return visible(json.dumps(value, ensure_ascii=False))
