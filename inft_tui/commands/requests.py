"""`save`, `stop` and `abort`: ask something of a run, and wait until it is done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from inft.errors import ConfigError, DiskError, ExitCode, NotReadyError
from inft.machine.processes import ProcessId, is_alive
from inft.runs.condition import Condition
from inft.runs.control import Request, ask, pending
from inft.runs.find import find_run, reference
from inft.runs.follow import last_events
from inft.runs.inspect import Inspector
from inft.runs.quantities import duration
from inft.runs.redact import redact
from inft.runs.saved import last_checkpoint
from inft.runs.visible import visible
from inft_tui.edge import report
from inft_tui.terminal import err, out, shown_path
from inft_tui.words import end_line, latest

POLL_S = 0.2
ABORT_PATIENCE_S = 3.0
"""What a trainer without a supervisor has to end by itself; one that hangs in native code cannot."""
SUPERVISED_PATIENCE_S = 8.0
"""The same where there is a supervisor, which kills after two seconds and then writes down how the run ended."""

_ASKED: dict[Request, str] = {
    "save": "Asked {run} to save after this step and go on.",
    "stop": "Asked {run} to save and end after this step.",
    "abort": "Asked {run} to end now, without saving.",
}


def run(name: str, logs_dir: Path | None, request: Request, *, wait: bool) -> int:
    """Leaves the request, and tells what became of it.

    Returns:
        0; the run's exit code if it failed instead.

    Raises:
        ConfigError: there is no such run, it is damaged, or it has ended, its processes included.
        DiskError: it cannot be read, or no request can be left.
        NotReadyError: a trainer that stayed behind cannot be ended.
    """
    directory = find_run(name, logs_dir)
    inspector = Inspector(directory)
    condition = inspector.look()
    shown = visible(directory.run_id)
    if not condition.alive:
        lingering = _lingering(inspector, condition) if request == "abort" else None
        if lingering is None:
            raise _already_ended(inspector, condition)
        return _end(lingering, inspector, condition)
    ask(directory, request)
    err(_ASKED[request].format(run=shown))
    if condition.elsewhere:
        err(f"It runs on {visible(inspector.record.host)}, which sees the request through the disk they share.")
    if not wait:
        return ExitCode.FINISHED
    try:
        return _await(inspector, condition, request)
    except KeyboardInterrupt:
        err(f"\nThe request stands, and {shown} honours it without anybody waiting.")
        return ExitCode.FINISHED


def _await(inspector: Inspector, asked_at: Condition, request: Request) -> int:
    directory = inspector.run
    for condition in _looks(inspector, request):
        if not condition.alive:
            return _tell_end(inspector, condition, request)
        if request == "save" and "save" not in pending(directory):
            saved = last_checkpoint(directory)
            if saved is None or saved.run_id != directory.run_id or saved.step < asked_at.step:
                raise DiskError(
                    f"{visible(directory.run_id)} took the request, and yet there is no new checkpoint.",
                    f"`inft-tui tail {reference(directory)}` may tell why.",
                )
            out(f"Saved at step {saved.step:,}: {visible(shown_path(saved.path))}")
            return ExitCode.FINISHED
    raise AssertionError("looking has no end")


def _looks(inspector: Inspector, request: Request) -> Iterator[Condition]:
    """The run's condition again and again, with a word where waiting takes long, and a hand where a run must end."""
    began = time.monotonic()
    told_stalled = killed = False
    while True:
        condition = inspector.look()
        yield condition
        waited = time.monotonic() - began
        patience = SUPERVISED_PATIENCE_S if condition.supervised else ABORT_PATIENCE_S
        if request == "abort" and not killed and inspector.sees_processes and waited >= patience:
            killed = True
            _kill(condition.pids.trainer)
        if condition.stalled_sec is not None and not told_stalled and request != "abort":
            told_stalled = True
            err(f"It has shown no sign of progress for {duration(condition.stalled_sec)}.")
            err(f"  `inft-tui abort {reference(inspector.run)}` ends it without waiting.")
        time.sleep(POLL_S)


def _lingering(inspector: Inspector, condition: Condition) -> ProcessId | None:
    """The trainer of a run that has ended, if it is still there: it hangs while it gives back the card."""
    trainer = condition.pids.trainer
    if trainer is None or not inspector.sees_processes or not is_alive(trainer):
        return None
    return trainer


def _end(trainer: ProcessId, inspector: Inspector, condition: Condition) -> int:
    """Ends a trainer that stayed behind, whose run said how it ended long ago.

    Raises:
        DiskError: it belongs to another user.
        NotReadyError: it does not end.
    """
    shown = visible(inspector.run.run_id)
    words = end_line(condition, latest(last_events(inspector.run)))
    _kill(trainer)
    patience_ends = time.monotonic() + ABORT_PATIENCE_S
    while is_alive(trainer):
        if time.monotonic() >= patience_ends:
            raise NotReadyError(
                f"The trainer of {shown}, process {trainer.pid}, was killed and has not ended: the system holds it.",
                "It may wait for a disk or for the GPU's driver; if it stays, only a restart of the machine ends it.",
            )
        time.sleep(POLL_S)
    out(f"{shown} had already ended: {words}. Its trainer, process {trainer.pid}, was still there and is ended now.")
    return ExitCode.FINISHED


def _kill(trainer: ProcessId | None) -> None:
    """Ends the trainer and what it started.

    Raises:
        DiskError: it belongs to another user.
    """
    if trainer is None or not is_alive(trainer):
        return
    try:
        # A supervised trainer leads a group of its own; one started by hand may be in the group of a person's shell.
        if os.getpgid(trainer.pid) == trainer.pid:
            os.killpg(trainer.pid, signal.SIGKILL)
        else:
            os.kill(trainer.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        raise DiskError(
            f"Process {trainer.pid} does not react, and is not yours to end.", "Ask its owner to."
        ) from None


def _tell_end(inspector: Inspector, condition: Condition, request: Request) -> int:
    directory = inspector.run
    code = condition.exit_code if condition.exit_code is not None else ExitCode.INTERNAL
    cause = condition.cause
    news = latest(last_events(directory))
    if condition.state == "failed" and cause is not None:
        err(f"It did not come to that: {visible(directory.run_id)} {end_line(condition, news)}.")
        report(cause.kind, cause.message, cause.fix, as_json=False)
        return code
    out(f"{end_line(condition, news).capitalize()}.")
    if request == "save":
        err("It ended before it could save on request.")
    if condition.state == "finished":
        return ExitCode.FINISHED
    if request == "stop" and cause is not None and cause.kind != "stopped":
        out(visible(redact(cause.message)))
    saved = last_checkpoint(directory)
    if saved is None:
        out("It has no complete checkpoint.")
    else:
        out(f"Last checkpoint: step {saved.step:,}, {visible(shown_path(saved.path))}")
        out(f"Go on with `inft-tui resume {reference(directory)}`.")
    return ExitCode.FINISHED


def _already_ended(inspector: Inspector, condition: Condition) -> ConfigError:
    directory = inspector.run
    words = end_line(condition, latest(last_events(directory)))
    fix = "" if condition.state == "finished" else f"`inft-tui status {reference(directory)}` tells more."
    return ConfigError(f"{visible(directory.run_id)} has already ended: {words}.", fix)
