"""The one table of keys: what is bound, what the footer and the help show, what the command palette offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Place: TypeAlias = Literal["everywhere", "runs", "run"]
"""Where a key means something; each but the first is a screen."""

PLACE_NAMES: dict[Place, str] = {"everywhere": "Everywhere", "runs": "Runs", "run": "One run"}


@dataclass(frozen=True)
class Key:
    """One row.

    Attributes:
        id: what a keymap calls it.
        keys: which keys, the one that is shown first.
        does: a verb and what, for the help and the palette.
        where: on which screen.
        short: one word for the footer; empty = not shown there.
        dangerous: whether it changes a run; such keys are not there with --readonly.
        typed: whether it stays valid while text is typed, as Escape does.
    """

    id: str
    keys: tuple[str, ...]
    does: str
    where: Place
    short: str = ""
    dangerous: bool = False


TABLE: tuple[Key, ...] = (
    Key("quit", ("q", "ctrl+c"), "Leave; training goes on", "everywhere", short="leave"),
    Key("help", ("question_mark", "f1"), "Show what the keys do", "everywhere", short="keys"),
    Key("commands", ("colon", "ctrl+p"), "Find a command by its name", "everywhere", short="commands"),
    Key("runs", ("2", "f2"), "Go to the runs", "everywhere"),
    Key("theme", ("t",), "Change the colours", "everywhere"),
    Key("repaint", ("ctrl+l",), "Draw everything anew", "everywhere"),
    Key("suspend", ("ctrl+z",), "Leave for the shell until `fg`", "everywhere"),
    Key("runs.open", ("enter",), "Look at this run", "runs", short="open"),
    Key("runs.filter", ("slash",), "Show only runs with these words", "runs", short="filter"),
    Key("runs.up", ("up", "k"), "Go up", "runs"),
    Key("runs.down", ("down", "j"), "Go down", "runs"),
    Key("runs.page-up", ("pageup", "ctrl+b"), "Go up a page", "runs"),
    Key("runs.page-down", ("pagedown", "ctrl+f"), "Go down a page", "runs"),
    Key("runs.first", ("home", "g"), "Go to the newest run", "runs"),
    Key("runs.last", ("end", "G"), "Go to the oldest run", "runs"),
    Key("runs.save", ("s",), "Have this run save a checkpoint and go on", "runs", short="save", dangerous=True),
    Key("runs.stop", ("x",), "Have this run save a checkpoint and end", "runs", short="stop", dangerous=True),
    Key("runs.abort", ("X",), "End this run now, without a checkpoint", "runs", dangerous=True),
    Key("runs.resume", ("r",), "Go on with this run from its last checkpoint", "runs", short="resume", dangerous=True),
    Key("run.back", ("escape", "backspace"), "Go back to the runs", "run", short="back"),
    Key("run.up", ("up", "k"), "Scroll up", "run"),
    Key("run.down", ("down", "j"), "Scroll down", "run"),
    Key("run.save", ("s",), "Have it save a checkpoint and go on", "run", short="save", dangerous=True),
    Key("run.stop", ("x",), "Have it save a checkpoint and end", "run", short="stop", dangerous=True),
    Key("run.abort", ("X",), "End it now, without a checkpoint", "run", dangerous=True),
    Key("run.resume", ("r",), "Go on with it from its last checkpoint", "run", short="resume", dangerous=True),
)

_SHOWN = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "enter": "Enter",
    "escape": "Esc",
    "backspace": "Backspace",
    "up": "Up",
    "down": "Down",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "space": "Space",
    "tab": "Tab",
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
