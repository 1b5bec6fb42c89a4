"""Lines in colours on stdout, where it can show them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from inft_tui.terminal import can_color, out, put


def put_lines(lines: Iterable[Text]) -> None:
    """Prints each line as it is, however long."""
    if not can_color():
        for line in lines:
            out(line.plain)
        return
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as captured:
        for line in lines:
            console.print(line)
    put(captured.get())
