"""The one table of keys: what is bound, what the footer and the help show, what the command palette offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Place: TypeAlias = Literal[
    "everywhere", "launch", "parameters", "runs", "monitor", "chart", "compare", "logs", "system", "captions"
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
    "captions": "Captions",
}

TABS: tuple[Place, ...] = ("launch", "runs", "monitor", "compare", "logs", "system", "captions")
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
    """

    id: str
    keys: tuple[str, ...]
    does: str
    where: Place
    short: str = ""
    dangerous: bool = False


def _chart_keys(where: Place) -> tuple[Key, ...]:
    """What can be done to a large chart; `widgets.chart_keys` does it."""
    return (
        Key(f"{where}.left", ("left", "h"), "Read the values one point to the left", where, short="cursor"),
        Key(f"{where}.right", ("right", "l"), "Read the values one point to the right", where),
        Key(f"{where}.far-left", ("shift+left", "H"), "Go ten columns to the left", where),
        Key(f"{where}.far-right", ("shift+right", "L"), "Go ten columns to the right", where),
        Key(f"{where}.hide-cursor", ("space",), "Take the cursor away", where),
        Key(f"{where}.zoom-in", ("plus", "equals_sign", "up"), "Look closer, around the cursor", where, short="zoom"),
        Key(f"{where}.zoom-out", ("minus", "down"), "Look from further away", where),
        Key(f"{where}.pan-left", ("comma", "less_than_sign"), "Move to the left", where),
        Key(f"{where}.pan-right", ("full_stop", "greater_than_sign"), "Move to the right", where),
        Key(f"{where}.follow", ("f",), "Hold what is shown, or follow the run again", where, short="follow"),
        Key(f"{where}.log-x", ("x",), "Logarithmic steps, or even ones", where),
        Key(f"{where}.log-y", ("y",), "Logarithmic values, or even ones", where, short="log"),
        Key(f"{where}.smooth", ("m",), "Smooth more, or not at all", where, short="smooth"),
        Key(f"{where}.axis", ("a",), "Count steps, epochs or time", where, short="axis"),
        Key(f"{where}.whole-range", ("w",), "Show single values far outside too, or not", where),
        Key(f"{where}.csv", ("c",), "Save the points that are shown as CSV", where, short="csv"),
        Key(f"{where}.svg", ("v",), "Save the drawing as SVG", where),
    )


def _parameter_keys(where: Place) -> tuple[Key, ...]:
    """What can be done to the list of parameters, and to what is being prepared."""
    # On Launch these lead from one part to the next.
    sideways: tuple[tuple[str, ...], ...] = (("left", "h"), ("right", "l")) if where == "parameters" else ((), ())
    return (
        Key(f"{where}.change", ("enter",), "Change this value, or go on to the next part", where, short="change"),
        Key(f"{where}.choice-before", (*sideways[0], "shift+left", "H"), "Take the choice before", where),
        Key(f"{where}.choice-after", (*sideways[1], "shift+right", "L"), "Take the next choice", where),
        Key(f"{where}.all", ("a",), "Show all parameters, or the ten that people turn", where, short="all"),
        Key(f"{where}.filter", ("slash",), "Show only parameters with these words", where, short="find"),
        Key(f"{where}.reset", ("r", "delete"), "Take back this change", where, short="reset"),
        Key(f"{where}.reset-all", ("R",), "Take back all changes", where),
        Key(f"{where}.up", ("up", "k"), "Go up", where),
        Key(f"{where}.down", ("down", "j"), "Go down", where),
        Key(f"{where}.page-up", ("pageup", "ctrl+b"), "Go up a page", where),
        Key(f"{where}.page-down", ("pagedown", "ctrl+f"), "Go down a page", where),
        Key(f"{where}.first", ("home", "g"), "Go to the first", where),
        Key(f"{where}.last", ("end", "G"), "Go to the last", where),
        Key(f"{where}.copy", ("c",), "Copy the command", where, short="copy"),
        Key(f"{where}.save", ("w",), "Save as a profile under a new name", where, short="save as", dangerous=True),
    )


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
    Key("captions", ("7",), "Read the captions that a run sampled", "everywhere"),
    Key("alerts", ("exclamation_mark",), "Read what happened lately", "everywhere"),
    Key("bell", ("B",), "Ring when something happens, or not", "everywhere"),
    Key("picture", ("P",), "Save what is shown as a picture (SVG)", "everywhere"),
    Key("theme", ("t",), "Change the colours", "everywhere"),
    Key("repaint", ("ctrl+l",), "Draw everything anew", "everywhere"),
    Key("suspend", ("ctrl+z",), "Leave for the shell until `fg`", "everywhere"),
    Key("launch.start", ("s",), "Start this run", "launch", short="start", dangerous=True),
    Key("launch.next", ("tab", "right", "l"), "Go to the next part", "launch"),
    Key("launch.previous", ("shift+tab", "left", "h"), "Go to the part before", "launch"),
    *_parameter_keys("launch"),
    Key("launch.editor", ("e",), "Give the parameters the whole screen", "launch", short="editor"),
    Key("launch.check", ("u",), "Check this machine again", "launch", short="check"),
    Key("launch.back", ("escape", "backspace"), "Go to the runs", "launch"),
    Key("parameters.back", ("escape", "backspace", "e"), "Go back", "parameters", short="back"),
    *_parameter_keys("parameters"),
    Key("runs.open", ("enter",), "Look at this run", "runs", short="open"),
    Key("runs.filter", ("slash",), "Show only runs with these words", "runs", short="filter"),
    Key("runs.all", ("escape",), "Show all runs again", "runs"),
    Key("runs.mark", ("space",), "Mark this run for comparing, or take the mark away", "runs", short="mark"),
    Key("runs.unmark-all", ("u",), "Take all marks away", "runs"),
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
    Key("monitor.open", ("enter",), "Look closer at this chart", "monitor", short="chart"),
    Key("monitor.up", ("up", "k"), "Select the chart above, or scroll up", "monitor"),
    Key("monitor.down", ("down", "j"), "Select the chart below, or scroll down", "monitor"),
    Key("monitor.left", ("left", "h"), "Select the chart before", "monitor"),
    Key("monitor.right", ("right", "l"), "Select the next chart", "monitor"),
    Key("monitor.page-up", ("pageup", "ctrl+b"), "Show the charts before, or scroll up a page", "monitor"),
    Key("monitor.page-down", ("pagedown", "ctrl+f"), "Show more charts, or scroll down a page", "monitor"),
    Key("monitor.panel", ("p",), "Below: the log, captions or alerts", "monitor", short="panel"),
    Key("monitor.enlarge", ("z",), "Give all room to what is below, or to the charts", "monitor", short="enlarge"),
    Key("monitor.words", ("i",), "Say in words what it is doing", "monitor", short="status"),
    Key("monitor.captions", ("c",), "Read its captions, with pictures", "monitor", short="captions"),
    Key("monitor.save", ("s",), "Have it save a checkpoint and go on", "monitor", short="save", dangerous=True),
    Key("monitor.stop", ("x",), "Have it save a checkpoint and end", "monitor", short="stop", dangerous=True),
    Key("monitor.abort", ("X",), "End it now, without a checkpoint", "monitor", dangerous=True),
    Key("monitor.resume", ("r",), "Go on with it from its last checkpoint", "monitor", short="resume", dangerous=True),
    Key("logs.filter", ("slash",), "Show only lines with some text", "logs", short="filter"),
    Key("logs.expression", ("e",), "Show only lines that match an expression", "logs"),
    Key("logs.next-error", ("n",), "Go to the next error", "logs", short="error"),
    Key("logs.previous-error", ("N",), "Go to the error before", "logs"),
    Key("logs.follow", ("f",), "Hold what is shown, or follow the end again", "logs", short="follow"),
    Key("logs.next-file", ("tab",), "Show the next file", "logs", short="file"),
    Key("logs.previous-file", ("shift+tab",), "Show the file before", "logs"),
    Key("logs.wrap", ("w",), "Go on below with long lines, or cut them", "logs", short="wrap"),
    Key("logs.numbers", ("number_sign",), "Number the lines, or not", "logs"),
    Key("logs.up", ("up", "k"), "Go up a line", "logs"),
    Key("logs.down", ("down", "j"), "Go down a line", "logs"),
    Key("logs.page-up", ("pageup", "ctrl+b", "b"), "Go up a page", "logs"),
    Key("logs.page-down", ("pagedown", "ctrl+f", "space"), "Go down a page", "logs"),
    Key("logs.first", ("home", "g"), "Go to the first line", "logs"),
    Key("logs.last", ("end", "G"), "Go to the last line, and follow", "logs"),
    Key("logs.left", ("left", "h"), "Look further left", "logs"),
    Key("logs.right", ("right", "l"), "Look further right", "logs"),
    Key("logs.back", ("escape", "backspace"), "Show all lines again, else go back", "logs", short="back"),
    Key("chart.back", ("escape", "backspace", "enter"), "Go back to all charts", "chart", short="back"),
    Key("chart.next", ("tab", "n"), "Show the next chart", "chart", short="next"),
    Key("chart.previous", ("shift+tab", "p"), "Show the chart before", "chart"),
    *_chart_keys("chart"),
    Key("compare.back", ("escape", "backspace"), "Go back to the runs", "compare", short="back"),
    Key("compare.runs", ("r", "enter"), "Choose the runs", "compare", short="runs"),
    Key("compare.next", ("tab", "n"), "Show the next figure", "compare", short="next"),
    Key("compare.previous", ("shift+tab", "p"), "Show the figure before", "compare"),
    Key("compare.parameters", ("d",), "Show more of what differs, or of the chart", "compare", short="differences"),
    Key("compare.up", ("k",), "Scroll up through what differs", "compare"),
    Key("compare.down", ("j",), "Scroll down through what differs", "compare"),
    Key("compare.page-up", ("pageup", "ctrl+b"), "Scroll up a page", "compare"),
    Key("compare.page-down", ("pagedown", "ctrl+f"), "Scroll down a page", "compare"),
    *_chart_keys("compare"),
    Key("system.back", ("escape", "backspace"), "Go back to the runs", "system", short="back"),
    Key("system.next", ("tab", "right"), "Show the history of the next GPU", "system", short="next GPU"),
    Key("system.previous", ("shift+tab", "left"), "Show the history of the GPU before", "system"),
    Key("system.up", ("up", "k"), "Scroll up", "system"),
    Key("system.down", ("down", "j"), "Scroll down", "system", short="scroll"),
    Key("system.page-up", ("pageup", "ctrl+b"), "Scroll up a page", "system"),
    Key("system.page-down", ("pagedown", "ctrl+f"), "Scroll down a page", "system"),
    Key("system.again", ("r",), "Look at everything again", "system", short="look again"),
    Key("captions.back", ("escape", "backspace"), "Show the list again, else go back", "captions", short="back"),
    Key("captions.enlarge", ("z", "enter"), "Give all room to this row, or not", "captions", short="enlarge"),
    Key("captions.up", ("up", "k"), "Go up a row", "captions"),
    Key("captions.down", ("down", "j"), "Go down a row", "captions"),
    Key("captions.earlier", ("left", "h"), "Show what it said before", "captions", short="earlier"),
    Key("captions.later", ("right", "l"), "Show what it said next", "captions", short="later"),
    Key("captions.next-language", ("tab", "n"), "Go to the next language", "captions", short="language"),
    Key("captions.previous-language", ("shift+tab", "p"), "Go to the language before", "captions"),
    Key("captions.scroll-down", ("J", "shift+down"), "Scroll down through its captions", "captions"),
    Key("captions.scroll-up", ("K", "shift+up"), "Scroll up through its captions", "captions"),
    Key("captions.page-up", ("pageup", "ctrl+b"), "Go up a page", "captions"),
    Key("captions.page-down", ("pagedown", "ctrl+f", "space"), "Go down a page", "captions"),
    Key("captions.first", ("home", "g"), "Go to the first row", "captions"),
    Key("captions.last", ("end", "G"), "Go to the last row", "captions"),
)
