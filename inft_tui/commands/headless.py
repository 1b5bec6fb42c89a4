"""`--headless`: starts a run and follows it, without owning it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inft.profiles import resolve
from inft.runs.launch import TRAINER_MODULE
from inft_tui.following import detach, stay
from inft_tui.launching import launch
from inft_tui.readying import require_ready


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        profile: name or path.
        overrides: each "table.key=value".
        argv: the command line, for the record.
        as_json: whether stdout carries the run's events.
        detach: whether to leave as soon as the run is started.
        force: whether to start it on a machine that is not ready.
    """

    profile: str
    overrides: Sequence[str]
    argv: Sequence[str]
    as_json: bool = False
    detach: bool = False
    force: bool = False


def run(request: Request, module: str = TRAINER_MODULE) -> int:
    """Starts the run and stays with it until it ends, or until Ctrl-C.

    Args:
        request: what to run.
        module: the trainer, started as `python -m module RUN_DIRECTORY`.

    Returns:
        The run's exit code; 0 when the run was left to itself.

    Raises:
        ConfigError: the configuration cannot be used, or another run writes to one of its folders.
        DiskError: the run's folder cannot be written.
        NotReadyError: this machine cannot run it.
    """
    config = resolve(request.profile, request.overrides).config
    if not request.force:
        require_ready(config, request.profile, request.overrides)
    launched = launch(config, argv=request.argv, module=module)
    return (detach if request.detach else stay)(launched, as_json=request.as_json)
