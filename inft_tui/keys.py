"""What the keys mean for one person: the table, with the changes of a keymap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inft_tui.key_table import TABLE, Key, Place

_SHOWN = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "enter": "Enter",
    "escape": "Esc",
    "backspace": "Backspace",
    "delete": "Delete",
    "up": "Up",
    "down": "Down",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "left": "Left",
    "right": "Right",
    "shift+left": "S-Left",
    "shift+up": "S-Up",
    "shift+down": "S-Down",
    "shift+right": "S-Right",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "number_sign": "#",
    "exclamation_mark": "!",
    "greater_than_sign": ">",
}


class Keymap:
    """The table as it is for one person.

    Args:
        changes: other keys for some ids.
        readonly: leave out what changes a run.
    """

    def __init__(self, changes: Mapping[str, Sequence[str]] | None = None, *, readonly: bool = False) -> None:
        changes = changes or {}
        rows = (replace(row, keys=tuple(changes.get(row.id, row.keys))) for row in TABLE)
        self.rows = tuple(row for row in rows if row.keys and not (readonly and row.dangerous))
        self._by_key = {(row.where, key): row for row in self.rows for key in row.keys}

    def action(self, where: Place, key: str) -> Key | None:
        """What `key` means on that screen; what the screen itself says goes before what is so everywhere."""
        return self._by_key.get((where, key)) or self._by_key.get(("everywhere", key))

    def at(self, where: Place) -> tuple[Key, ...]:
        """What there is on that screen, its own first."""
        own = tuple(row for row in self.rows if row.where == where)
        return own + tuple(row for row in self.rows if row.where == "everywhere") if where != "everywhere" else own

    def footer(self, where: Place) -> tuple[Key, ...]:
        """What its footer shows."""
        return tuple(row for row in self.at(where) if row.short)


def shown_key(key: str) -> str:
    """A key as it is printed.

    >>> shown_key("question_mark"), shown_key("ctrl+l"), shown_key("X"), shown_key("f1")
    ('?', '^L', 'X', 'F1')
    """
    if key.startswith("ctrl+"):
        return f"^{key[5:].upper()}"
    if key in _SHOWN:
        return _SHOWN[key]
    return key.upper() if len(key) > 1 else key
