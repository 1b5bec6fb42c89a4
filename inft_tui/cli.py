"""`inft-tui`: the console where nothing else is asked for, else the command line."""

from __future__ import annotations

import sys

from inft_tui.terminal import open_missing_streams, tolerate_any_text


def main() -> None:
    """The script `inft-tui`."""
    open_missing_streams()
    tolerate_any_text()
    request = _without_options(sys.argv[1:])
    if request is not None:
        from inft_tui import console
        from inft_tui.edge import exit_code_of

        attach = request or None
        sys.exit(exit_code_of(lambda: console.run(console.Request(attach))))
    from inft_tui.command_line import app

    app(prog_name="inft-tui")


def _without_options(arguments: list[str]) -> str | None:
    """The run to open the console on, empty for none, where there are no options to read: that takes 130 ms and 12 MB.

    >>> _without_options([]), _without_options(["attach"]), _without_options(["attach", "aya"])
    ('', 'latest', 'aya')
    >>> _without_options(["attach", "--help"]), _without_options(["status", "aya"]), _without_options(["attach", ""])
    (None, None, None)
    """
    match arguments:
        case []:
            return ""
        case ["attach"]:
            return "latest"
        case ["attach", name] if name and not name.startswith("-"):
            return name
        case _:
            return None
