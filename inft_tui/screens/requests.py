"""Save, stop, abort and resume from a screen: each asks first, and then does what the command of that name does."""

from __future__ import annotations

from pathlib import Path

from inft.runs.directory import RunDirectory
from inft.runs.visible import visible
from inft_tui.screens.console_screen import ConsoleScreen, Prompt

_QUESTIONS = {
    "stop": "Have {run} save a checkpoint and end?",
    "abort": "To end it now, without a checkpoint, type {run}:",
    "resume": "Go on with {run} from its last checkpoint?",
}


def ask_first(screen: ConsoleScreen, request: str, run: RunDirectory) -> None:
    """Asks, where it is not to be taken back, and then does it.

    Args:
        screen: where to ask.
        request: save, stop, abort or resume.
        run: which run.
    """
    console = screen.console_app

    def follow(path: Path) -> None:
        console.subjects.chosen = path

    def resumed(run_id: str) -> None:
        console.call_later(follow, run.path.parent / run_id)

    def go(_: str) -> None:
        console.deeds.begin(request, run, resumed)
        screen.draw_bars()

    if request not in _QUESTIONS:
        go("")
        return
    name = visible(run.run_id)
    screen.ask(Prompt(_QUESTIONS[request].format(run=name), go, expected=name if request == "abort" else ""))
