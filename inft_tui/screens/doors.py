"""Which screen a name leads to. Each is imported when it is first opened, so that the first one is there at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inft.errors import ConfigError
from inft_tui.key_table import Place
from inft_tui.screens.console_screen import ConsoleScreen

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp


def screen_for(console: ConsoleApp, place: Place) -> ConsoleScreen:
    """A new screen, one of `TABS` but the runs.

    Raises:
        ConfigError: it would have nothing to show.
    """
    match place:
        case "launch":
            from inft_tui.screens.launch import LaunchScreen

            return LaunchScreen(console)
        case "monitor":
            from inft_tui.screens.monitor import MonitorScreen

            return MonitorScreen(console, console.subjects.watched(chosen(console)))
        case "compare":
            from inft_tui.comparison.choice import runs_to_compare
            from inft_tui.screens.compare import CompareScreen

            first, subjects = chosen(console), console.subjects
            group = subjects.comparison()
            group.choose(runs_to_compare(subjects.marked, first, console.snapshot.runs))
            return CompareScreen(console, group)
        case "system":
            from inft_tui.screens.system import SystemScreen

            return SystemScreen(console, console.subjects.machine())
        case "logs":
            from inft_tui.screens.logs import LogsScreen

            return LogsScreen(console, chosen(console))
        case "captions":
            from inft_tui.screens.captions import CaptionsScreen

            album = console.subjects.captions(chosen(console))
            return CaptionsScreen(console, album.followed, album.gallery, album.scores)
        case _:
            raise ConfigError(f"There is no screen {place} to go to.", "")


def screen_above(console: ConsoleApp, name: str) -> ConsoleScreen:
    """A new screen that goes above the one shown: help, commands or alerts."""
    match name:
        case "help":
            from inft_tui.screens.help import HelpScreen

            return HelpScreen(console, console.place())
        case "commands":
            from inft_tui.screens.commands import CommandsScreen

            return CommandsScreen(console, console.place())
        case _:
            from inft_tui.screens.alerts import AlertsScreen

            return AlertsScreen(console)


def chosen(console: ConsoleApp) -> Path:
    """The run that screens about one run are about: the one last selected or looked at, else the newest.

    Raises:
        ConfigError: there is none.
    """
    subjects = console.subjects
    if subjects.chosen is None and console.snapshot.runs:
        subjects.chosen = console.snapshot.runs[0].run.path
    if subjects.chosen is None:
        raise ConfigError("There is no run yet.", f"{console.key_of('launch') or 'Launch'} prepares one.")
    return subjects.chosen
