"""Arguments and options that several commands of `inft-tui` have, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run id, the beginning of only one, a path, or latest.", show_default=False),
]
AttachName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run, or another program's training log: a file of JSON lines, a trainer_state.json, or their folder.",
        show_default=False,
    ),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="A profile's name, or a .toml file.", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Go before the profile, as in sft.lr=1e-4; repeatable."),
]
LogsDir = Annotated[
    Path | None,
    typer.Option(
        "--logs", metavar="DIR", help="Where the runs are, if a profile set basic.logs_dir.", show_default=False
    ),
]
ReadOnly = Annotated[bool, typer.Option("--readonly", help="The console, without what changes a run.")]
Theme = Annotated[
    str | None, typer.Option("--theme", metavar="NAME", help="Of the console: dark, light or colour-blind.")
]
Glyphs = Annotated[
    str | None, typer.Option("--glyphs", metavar="NAME", help="Charts are drawn with: braille, block or ascii.")
]
Colours = Annotated[
    str | None, typer.Option("--colors", metavar="N", help="Shown by the terminal: truecolor, 256, 16 or none.")
]
Bell = Annotated[bool, typer.Option("--bell", help="Ring the terminal's bell when something happens to a run.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave the request and return at once.")]
