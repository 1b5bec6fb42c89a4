"""`--headless`: starts a run and follows it, without owning it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import msgspec

from inft.config import Config
from inft.errors import ExitCode
from inft.profiles import resolve, to_toml
from inft.project import inside, project_root
from inft.runs.directory import RunDirectory, create_run, link_latest, logs_folder
from inft.runs.follow import Outcome, follow, outcome
from inft.runs.launch import TRAINER_MODULE, start_trainer
from inft.runs.narrate import narrate
from inft.runs.status import read_status
from inft_tui.edge import report
from inft_tui.run_state import RunState
from inft_tui.summary import summary_lines
from inft_tui.terminal import can_draw, err, out, out_json, shown_path, silence_stdout
from inft_tui.views import EventView, PlainView, View


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        profile: name or path.
        overrides: each "table.key=value".
        argv: the command line, for the record.
        as_json: whether stdout carries the run's events.
        detach: whether to leave as soon as the run is started.
    """

    profile: str
    overrides: Sequence[str]
    argv: Sequence[str]
    as_json: bool = False
    detach: bool = False


def run(request: Request, module: str = TRAINER_MODULE) -> int:
    """Starts the run and stays with it until it ends, or until Ctrl-C.

    Args:
        request: what to run.
        module: the trainer, started as `python -m module RUN_DIRECTORY`.

    Returns:
        The run's exit code; 0 when the run was left to itself.

    Raises:
        ConfigError: the configuration cannot be used.
        DiskError: the run's folder cannot be written.
    """
    resolved = resolve(request.profile, request.overrides)
    config = resolved.config
    directory = create_run(config, to_toml(config), argv=request.argv)
    no_link = link_latest(logs_folder(config), config.task_tag, directory)
    if no_link is not None:
        err(narrate(no_link))
    process = start_trainer(directory, module)
    if request.detach:
        return _leave(directory, process, as_json=request.as_json)
    started = f"Run {directory.run_id}, pid {process.pid}, log {shown_path(directory.console_log)}"
    if request.as_json:
        err(started)
    else:
        out(started)
    return _stay(request, config, directory, process)


def _leave(directory: RunDirectory, process: subprocess.Popen[bytes], *, as_json: bool) -> int:
    if as_json:
        facts = {"run_id": directory.run_id, "pid": process.pid, "path": str(directory.path)}
        out_json(msgspec.json.encode(facts).decode("utf-8"))
    else:
        _say_how_to_go_on(directory, process.pid)
        out(directory.run_id)
    return ExitCode.FINISHED


def _stay(request: Request, config: Config, directory: RunDirectory, process: subprocess.Popen[bytes]) -> int:
    began = time.monotonic()
    state = RunState()
    try:
        _watch(request, directory, process, state)
    except (KeyboardInterrupt, BrokenPipeError) as reason:
        if isinstance(reason, BrokenPipeError):
            silence_stdout()
        if process.poll() is None:
            err("")
            _say_how_to_go_on(directory, process.pid)
            return ExitCode.FINISHED
    ended = outcome(directory, process.wait())
    seconds = time.monotonic() - began
    if not request.as_json and ended.state != "failed":
        out()
        for line in summary_lines(directory, ended, state, seconds=seconds, adapters=_adapters(config, ended, state)):
            out(line)
    _explain(request, directory, ended, state)
    return ended.exit_code


def _watch(request: Request, directory: RunDirectory, process: subprocess.Popen[bytes], state: RunState) -> None:
    with _polite_termination(directory, process.pid):
        view = _view(request, directory)
        try:
            for lines in follow(directory, lambda: process.poll() is None):
                now = time.monotonic()
                for line in lines:
                    state.apply(line.record, now)
                view.update(lines, state, now)
        finally:
            view.close(state, time.monotonic())


def _view(request: Request, directory: RunDirectory) -> View:
    if request.as_json:
        return EventView()
    if not can_draw():
        return PlainView()
    from inft_tui.progress import ProgressView  # rich takes 60 ms that a pipe does not need

    def current_step() -> int:
        status = read_status(directory.status_json)
        return status.step if status is not None else 0

    return ProgressView(current_step)


def _adapters(config: Config, ended: Outcome, state: RunState) -> str | None:
    """The folder of the adapters, as far as anyone said that they were saved."""
    if state.best_model_dir is not None:
        return state.best_model_dir
    if ended.state != "finished":
        return None
    return str(inside(project_root(), config.best_model_dir, config.best_model_dir_key))


def _explain(request: Request, directory: RunDirectory, ended: Outcome, state: RunState) -> None:
    """Says why a run did not finish, and the errors that it went on after."""
    cause = ended.cause
    for alert in state.errors:
        if not request.as_json and (cause is None or alert.get("message") != cause.message):
            err(narrate(alert))
    if cause is None:
        return
    if ended.state == "stopped":
        err(cause.message)
        return
    told = any(alert.get("message") == cause.message for alert in state.errors)
    report(cause.kind, cause.message, cause.fix, as_json=request.as_json and not told)
    if str(directory.console_log) not in cause.fix:
        err(f"  Its log is {shown_path(directory.console_log)}.")


def _say_how_to_go_on(directory: RunDirectory, pid: int) -> None:
    err(f"Training goes on without this terminal, as process {pid}.")
    err(f"  stop it with      kill {pid}")
    err(f"  follow it with    tail -f {shown_path(directory.metrics)}")
    err(f"  its own log is    {shown_path(directory.console_log)}")


@contextlib.contextmanager
def _polite_termination(directory: RunDirectory, pid: int) -> Iterator[None]:
    """On SIGTERM, gives the terminal its cursor back before leaving with the code that a shell expects then."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        err("")
        _say_how_to_go_on(directory, pid)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
