"""`inft-tui`: the console where nothing else is asked for, else the command line."""

from __future__ import annotations

import sys

from inft_tui.terminal import open_missing_streams, tolerate_any_text


def main() -> None:
    """The script `inft-tui`."""
    open_missing_streams()
    tolerate_any_text()
    if len(sys.argv) == 1:
        # Reading options takes 90 ms, and here there are none.
        from inft_tui import console
        from inft_tui.edge import exit_code_of

        sys.exit(exit_code_of(lambda: console.run(console.Request())))
    from inft_tui.command_line import app

    app(prog_name="inft-tui")
