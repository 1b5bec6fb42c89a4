"""The one table of keys: what is bound, what the footer and the help show, what the command palette offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Place: TypeAlias = Literal[
    "everywhere", "launch", "parameters", "runs", "monitor", "chart", "compare", "logs", "system"
]
"""Where a key means something; each but the first is a screen."""

PLACE_NAMES: dict[Place, str] = {
    "everywhere": "Everywhere",
    "launch": "Launch",
    "parameters": "Parameters",
    "runs": "Runs",
    "monitor": "Monitor",
    "chart": "Chart",
    "compare": "Compare",
    "logs": "Logs",
    "system": "System",
}

TABS: tuple[Place, ...] = ("launch", "runs", "monitor", "compare", "logs", "system")
"""The screens that a key everywhere leads to, in the order of the bar; the id of that key is the screen's name."""


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
    Key("launch", ("1",), "Prepare a run", "everywhere"),
    Key("runs", ("2",), "Go to the runs", "everywhere"),
    Key("monitor", ("3",), "Watch a run: the selected one, or the newest", "everywhere"),
    Key("compare", ("4",), "Compare runs: those that are marked", "everywhere"),
    Key("logs", ("5",), "Read the logs of a run", "everywhere"),
    Key("system", ("6",), "Look at the GPUs and at this machine", "everywhere"),
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
    Key("monitor.back", ("escape", "backspace"), "Go back to the runs", "monitor", short="back"),
    Key("monitor.up", ("up", "k"), "Scroll up", "monitor"),
    Key("monitor.down", ("down", "j"), "Scroll down", "monitor"),
    Key("monitor.save", ("s",), "Have it save a checkpoint and go on", "monitor", short="save", dangerous=True),
    Key("monitor.stop", ("x",), "Have it save a checkpoint and end", "monitor", short="stop", dangerous=True),
    Key("monitor.abort", ("X",), "End it now, without a checkpoint", "monitor", dangerous=True),
    Key("monitor.resume", ("r",), "Go on with it from its last checkpoint", "monitor", short="resume", dangerous=True),
)
