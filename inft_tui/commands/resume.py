"""`resume`: a new run that goes on where an old one ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inft.errors import ExitCode
from inft.runs.find import find_run
from inft.runs.launch import TRAINER_MODULE
from inft.runs.resume import Resumption, prepare
from inft.runs.visible import visible
from inft_tui.following import detach, stay
from inft_tui.launching import launch
from inft_tui.readying import require_ready
from inft_tui.terminal import err, out, out_json, shown_path


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        name: the run to go on with.
        overrides: what differs from then on, each "table.key=value".
        argv: the command line, for the record.
        force: allow what changes the loss curve, and a machine that is not ready.
        as_json: whether stdout carries the run's events, or the plan.
        detach: whether to leave as soon as the run is started.
        dry_run: only say from where it would go on.
    """

    name: str
    overrides: Sequence[str]
    argv: Sequence[str]
    force: bool = False
    as_json: bool = False
    detach: bool = False
    dry_run: bool = False


def run(request: Request, logs_dir: Path | None, module: str = TRAINER_MODULE) -> int:
    """Starts a run that continues another, and stays with it as `--headless` does.

    Returns:
        The new run's exit code; 0 when it was left to itself, or was only planned.

    Raises:
        ConfigError: there is no such run, or it cannot go on.
        DiskError: it cannot be read, or the new one's folder cannot be written.
        NotReadyError: this machine cannot run it.
    """
    old = find_run(request.name, logs_dir)
    resumption = prepare(old, request.overrides, force=request.force)
    for warning in resumption.warnings:
        err(f"warning: {warning}")
    if resumption.kept_plan:
        err(resumption.kept_plan)
    checkpoint = resumption.checkpoint
    if request.dry_run:
        return _plan(old.run_id, resumption, as_json=request.as_json)
    if not request.force:
        require_ready(resumption.config, str(old.config_toml), resumption.overrides)
    err(f"Going on with {visible(old.run_id)} from step {checkpoint.step:,}, {visible(shown_path(checkpoint.path))}")
    launched = launch(resumption.config, argv=request.argv, origin=resumption.origin, module=module)
    return (detach if request.detach else stay)(launched, as_json=request.as_json)


def _plan(run_id: str, resumption: Resumption, *, as_json: bool) -> int:
    checkpoint = resumption.checkpoint
    if as_json:
        facts = {
            "resumed_from": run_id,
            "checkpoint": {"step": checkpoint.step, "path": str(checkpoint.path), "run_id": checkpoint.run_id},
            "changed": resumption.changed,
            "warnings": resumption.warnings,
            "kept_plan": resumption.kept_plan,
        }
        out_json(msgspec.json.encode(facts).decode("utf-8"))
    else:
        place = visible(shown_path(checkpoint.path))
        out(f"{visible(run_id)} would go on from step {checkpoint.step:,}, {place}")
    return ExitCode.FINISHED
