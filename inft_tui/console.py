"""Starts the console: whether this terminal can show it, which keys, which folder of runs, which run."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from inft.errors import ConfigError
from inft.loading import quick_loading
from inft.runs.find import default_logs_dir, find_run
from inft_tui.display.capabilities import Capabilities, Overrides, detect, original_environment, terminfo_colours
from inft_tui.keymap import keymap_file, read_keymap
from inft_tui.terminal import silence_lost_streams

SWITCH_S = 0.0005
"""After so long the thread that reads files lets the screen's go on, which needs that several times for one key."""
INSTEAD = (
    "`inft-tui runs`, `status RUN` and `tail -f RUN` work everywhere, and `--headless --profile NAME` starts a run."
)


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        attach: the run to open with, or another program's log, as a person names it; None = the listing.
        logs_dir: the folder of runs; None = the default.
        readonly: leave out what changes a run.
        rings: ring the terminal's bell when something happens to a run; INFT_BELL=1 asks for it too.
        overrides: what the terminal can do, as far as a person says.
    """

    attach: str | None = None
    logs_dir: Path | None = None
    readonly: bool = False
    rings: bool = False
    overrides: Overrides = field(default_factory=Overrides)


def run(request: Request) -> int:
    """Shows the console until it is left.

    Returns:
        0; 128 and the signal's number where one ended it.

    Raises:
        ConfigError: there is no terminal, or it cannot be drawn on; the keymap or a setting is wrong; there is no such
            run.
        DiskError: a file of these cannot be read.
    """
    capabilities = _capabilities(request.overrides)
    keymap = read_keymap(keymap_file(os.environ), readonly=request.readonly)
    logs_dir = request.logs_dir if request.logs_dir is not None else default_logs_dir()
    attach = None if request.attach is None else attached(request.attach, request.logs_dir)
    rings = request.rings or os.environ.get("INFT_BELL", "0") not in ("", "0")
    _tell_textual(capabilities)
    sys.setswitchinterval(SWITCH_S)
    with quick_loading():
        from inft_tui.app import ConsoleApp

        app = ConsoleApp(capabilities, keymap, logs_dir, attach=attach, readonly=request.readonly, rings=rings)
    app.run()
    app.deeds.end_waiting()
    silence_lost_streams()
    if app.crash is not None:
        raise app.crash
    return app.return_code or 0


def attached(name: str, logs_dir: Path | None) -> Path:
    """The run's folder, or another program's log or folder of logs, that a person means.

    Args:
        name: as for `find_run`, or a path.
        logs_dir: where ids are looked up; None = the default.

    Raises:
        ConfigError: there is no such run, and no log that could be shown.
        DiskError: a folder on the way cannot be read.
    """
    from inft_tui.feeds.foreign import is_run, open_feed

    run = find_run(name, logs_dir).path
    if is_run(run) or not os.access(run, os.X_OK):
        return run
    named = Path(name).expanduser().absolute()
    path = named if named.exists() else run
    open_feed(path).close()
    return path


def _capabilities(overrides: Overrides) -> Capabilities:
    if not (os.isatty(0) and sys.stdout.isatty()):
        raise ConfigError("The console needs a terminal, and here its input or output is none.", INSTEAD)
    environment = original_environment()
    term = environment.get("TERM", "")
    capabilities = detect(environment, overrides, terminfo_colours(term))
    if not capabilities.can_draw:
        what = f"TERM={term}" if term else "TERM is not set, and a terminal of unknown kind"
        raise ConfigError(f"{what} cannot be drawn on.", INSTEAD)
    return capabilities


def _tell_textual(capabilities: Capabilities) -> None:
    """Textual reads these once, when it is imported."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)  # what some shell was once as large as would go before the terminal's own word
    os.environ["TEXTUAL_COLOR_SYSTEM"] = {"none": "standard", "16": "standard"}.get(
        capabilities.colours, capabilities.colours
    )
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    if capabilities.colours == "none":
        os.environ["NO_COLOR"] = "1"
    else:
        os.environ.pop("NO_COLOR", None)
