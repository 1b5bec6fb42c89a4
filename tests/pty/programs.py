"""The console with something wrong inside, as programs for `Terminal`."""

from __future__ import annotations

import sys

_CONSOLE = """
import sys, threading, time
from inft_tui.screens.runs import RunsScreen
from inft_tui.app import ConsoleApp
from inft_tui.cli import main

def break_down(*_):
    {act}

{where}
sys.argv = ["inft-tui"]
main()
"""


def breaking(act: str, where: str = "RunsScreen.act = break_down") -> list[str]:
    """The console, where pressing a key of the Runs screen executes `act`."""
    return [sys.executable, "-P", "-c", _CONSOLE.format(act=act, where=where)]
