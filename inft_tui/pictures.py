"""Saves what the screen shows as a drawing, under `outputs/screens` of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from inft.errors import InftError
from inft.project import project_root
from inft.runs.clock import utc_now
from inft.runs.visible import visible
from inft_tui.deeds import Outcome
from inft_tui.display.svg import to_svg
from inft_tui.new_files import write_new
from inft_tui.terminal import shown_path

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp
    from inft_tui.screens.console_screen import ConsoleScreen

FOLDER = "outputs/screens"


def picture_of(screen: Screen[None], title: str, *, dark: bool) -> str:
    """The screen as SVG.

    Args:
        screen: which is shown.
        title: said to who cannot see it.
        dark: what the terminal's own colours are like, where the palette leaves them.
    """
    return to_svg(screen._compositor.render_strips(), screen.size.width, title, dark=dark)


def take_picture(console: ConsoleApp, screen: ConsoleScreen) -> None:
    """Saves what is shown, and says where."""
    picture = picture_of(screen, f"inft-tui: {screen.heading}", dark=console.capabilities.theme != "light")
    console.worker.ask(lambda: _saved(picture, screen.heading), console.say)


def _saved(picture: str, name: str) -> Outcome:
    """Writes it, and tells its path or why it could not be written. No file is ever written over."""
    try:
        path = write_new(project_root() / FOLDER, f"{name}-{utc_now():%Y%m%d-%H%M%S}", "svg", picture)
    except InftError as problem:
        return Outcome(problem.message, went_well=False)
    return Outcome(f"Saved {visible(shown_path(path))}", went_well=True)
