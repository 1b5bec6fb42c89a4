"""Staying with a run until it ends or the person leaves; leaving never touches the run."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import msgspec

from inft.errors import DiskError, ExitCode
from inft.project import inside, project_root
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.find import reference
from inft.runs.follow import follow
from inft.runs.narrate import narrate
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.edge import report
from inft_tui.launching import Launched
from inft_tui.run_state import RunState
from inft_tui.summary import summary_lines
from inft_tui.terminal import (
    can_draw,
    err,
    is_terminal,
    out,
    out_json,
    reaching_stdout,
    shown_path,
    silence_lost_streams,
)
from inft_tui.views import EventView, PlainView, View

SETTLING_S = 5.0
"""After the run's last word its processes still let go of the model."""
TAIL_LINES = 5
"""Of `console.log`, under a run that ended without a reason of its own."""


def detach(launched: Launched, *, as_json: bool) -> int:
    """Says how to go on with a run that was just started, and leaves it.

    The last word on stdout is its id; as JSON it is {run_id, pid, path}, with the supervisor's pid.
    """
    run = launched.run
    if as_json:
        facts = {"run_id": run.run_id, "pid": launched.supervisor.pid, "path": str(run.path)}
        out_json(msgspec.json.encode(facts).decode("utf-8"))
    else:
        _say_how_to_go_on(run)
        out(run.run_id)
    launched.ctrl_c.restore()
    return ExitCode.FINISHED


def stay(launched: Launched, *, as_json: bool) -> int:
    """Follows a run that was just started until it ends, or until Ctrl-C, or until nobody reads stdout any more.

    Returns:
        The run's exit code; 0 when the run was left to itself.

    Raises:
        InftError: the run can no longer be read, or stdout is a file on a full disk.
    """
    began = time.monotonic()
    state = RunState()
    with _leaving_politely(launched):
        try:
            launched.ctrl_c.let_through()
            _greet(launched, as_json=as_json)
            _watch(launched, state, as_json=as_json)
        except (KeyboardInterrupt, BrokenPipeError, DiskError) as reason:
            if _goes_on(launched):
                err("")
                _say_how_to_go_on(launched.run)
                if isinstance(reason, DiskError):
                    raise
                return ExitCode.FINISHED
        ended = launched.inspector.look()
        with contextlib.suppress(BrokenPipeError):
            _tell_end(launched, ended, state, time.monotonic() - began, as_json=as_json)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            # Whoever starts the next run then finds the folders free.
            launched.supervisor.wait(SETTLING_S)
    return ended.exit_code if ended.exit_code is not None else ExitCode.INTERNAL


def _goes_on(launched: Launched) -> bool:
    """Whether the run lives; where nobody said how it ended, its supervisor may be about to, or about to start."""
    condition = launched.inspector.look()
    return condition.alive or (not condition.recorded and launched.supervisor.poll() is None)


def _greet(launched: Launched, *, as_json: bool) -> None:
    run = launched.run
    say = err if as_json else out
    say(visible(f"Run {run.run_id}, pid {launched.supervisor.pid}"))
    say(visible(f"  log {shown_path(run.console_log)}"))


def _watch(launched: Launched, state: RunState, *, as_json: bool) -> None:
    on_terminal = is_terminal()
    view = _view(launched, as_json=as_json)
    try:
        for lines in follow(launched.run, lambda: _goes_on(launched)):
            now = time.monotonic()
            for line in lines:
                state.apply(line.record, now)
            if on_terminal and not is_terminal():
                # rich would go on in silence where there is nothing to draw on.
                raise BrokenPipeError
            with reaching_stdout():
                view.update(lines, state, now)
    finally:
        with contextlib.suppress(BrokenPipeError, DiskError), reaching_stdout():
            view.close(state, time.monotonic())


def _view(launched: Launched, *, as_json: bool) -> View:
    if as_json:
        return EventView()
    if not can_draw():
        return PlainView()
    from inft_tui.progress import ProgressView  # rich takes 60 ms that a pipe does not need

    return ProgressView(lambda: launched.inspector.look().step)


def _tell_end(launched: Launched, ended: Condition, state: RunState, seconds: float, *, as_json: bool) -> None:
    run = launched.run
    if not as_json and ended.state != "failed":
        out()
        adapters = _adapters(launched, ended, state)
        for line in summary_lines(run, ended.state, state, seconds=seconds, adapters=adapters):
            out(line)
    _explain(run, ended, state, as_json=as_json)


def _adapters(launched: Launched, ended: Condition, state: RunState) -> str | None:
    """The folder of the adapters, as far as anyone said that they were saved."""
    if state.best_model_dir is not None:
        return state.best_model_dir
    if ended.state != "finished":
        return None
    config = launched.config
    return str(inside(project_root(), config.best_model_dir, config.best_model_dir_key))


def _explain(run: RunDirectory, ended: Condition, state: RunState, *, as_json: bool) -> None:
    """Says why a run did not finish, and the errors that it went on after."""
    cause = ended.cause
    for alert in state.errors:
        if not as_json and (cause is None or alert.get("message") != cause.message):
            err(narrate(alert))
    if cause is None:
        return
    if ended.state == "stopped":
        for line in filter(None, (cause.message, cause.fix)):
            err(visible(redact(line)))
        return
    told = any(alert.get("message") == cause.message for alert in state.errors)
    report(cause.kind, cause.message, cause.fix, as_json=as_json and not told)
    if cause.tail:
        err("  The last lines of its console.log:")
        for line in cause.tail[-TAIL_LINES:]:
            err(f"    {visible(redact(line))}")
    if str(run.console_log) not in cause.fix:
        err(f"  Its log is {visible(shown_path(run.console_log))}.")


def _say_how_to_go_on(run: RunDirectory) -> None:
    name = reference(run)
    err("Training goes on without this terminal.")
    err(f"  follow it with    inft-tui tail -f {name}")
    err(f"  look at it with   inft-tui status {name}")
    err(f"  stop it with      inft-tui stop {name}")


@contextlib.contextmanager
def _leaving_politely(launched: Launched) -> Iterator[None]:
    """On SIGTERM and hang-up, gives the terminal its cursor back before leaving with the code that a shell expects.

    A hang-up that is ignored (nohup) stays so; then the missing terminal itself is the sign to leave.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        err("")
        _say_how_to_go_on(launched.run)
        raise SystemExit(128 + number)

    before = {
        number: signal.signal(number, leave)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        launched.ctrl_c.restore()
        silence_lost_streams()
