"""Ways to show a run that is being followed. The terminal's own is in `progress.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from inft.runs.jsonl import Line
from inft.runs.narrate import Narrator
from inft_tui.run_state import RunState
from inft_tui.terminal import out, out_json


class View(Protocol):
    """Shows one run."""

    def update(self, lines: Sequence[Line], state: RunState, now: float) -> None:
        """Called at every look at the run.

        Args:
            lines: what is new; often nothing.
            state: what all lines so far add up to.
            now: seconds on the clock that `state` was fed with.
        """

    def close(self, state: RunState, now: float) -> None:
        """Shows the last of it and leaves the terminal as it was found; called once, also after an error."""


class EventView:
    """The events themselves, one line of strict JSON each."""

    def update(self, lines: Sequence[Line], state: RunState, now: float) -> None:
        """Passes the lines on."""
        for line in lines:
            out_json(line.text)

    def close(self, state: RunState, now: float) -> None:
        """Nothing to undo."""


class PlainView:
    """One line of text per event worth one, for pipes, files and terminals that cannot redraw."""

    def __init__(self) -> None:
        self._narrator = Narrator()

    def update(self, lines: Sequence[Line], state: RunState, now: float) -> None:
        """Says what is new."""
        for line in lines:
            if line.record.get("event") == "sample" or is_error(line):
                continue  # both are told at the end
            words = self._narrator.line(line.record)
            if words:
                out(words)

    def close(self, state: RunState, now: float) -> None:
        """Nothing to undo."""


def is_error(line: Line) -> bool:
    """Whether it is an alert about what ends the run."""
    return line.record.get("event") == "alert" and line.record.get("level") == "error"
