"""Watches a run until its process has ended and its last line is read, and says how it ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inft.errors import EXIT_CODE_MEANINGS, ExitCode
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlReader, Line
from inft.runs.status import Cause, RunState, read_status

POLL_S = 0.1
"""Soon enough for a progress bar; ten looks a second at an unchanged file cost 0.1 % of a core."""

FinalState: TypeAlias = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: in one word.
        exit_code: what a command that ran it to its end returns.
        cause: why it stopped or failed; None for a run that finished.
    """

    state: FinalState
    exit_code: int
    cause: Cause | None


def follow(run: RunDirectory, alive: Callable[[], bool], poll_s: float = POLL_S) -> Iterator[tuple[Line, ...]]:
    """The events of `run`, as they are written.

    Args:
        run: the run; its `metrics.jsonl` need not exist yet.
        alive: whether its process still runs.
        poll_s: pause between two looks, in seconds.

    Yields:
        The lines since the last look, at every look: empty when there was nothing new, so that a caller can keep a
        clock going. After the last line of an ended process it stops.

    Raises:
        OSError: the file is there and cannot be read.
    """
    with JsonlReader(run.metrics) as reader:
        while True:
            # Asked before reading: what a process wrote before it ended is then certainly read after.
            last_look = not alive()
            chunk = reader.read()
            yield chunk.lines
            if chunk.more:
                continue
            if last_look:
                return
            time.sleep(poll_s)


def outcome(run: RunDirectory, returncode: int) -> Outcome:
    """How `run` ended, by its own word if it left one, otherwise by its process's.

    Args:
        run: the run, whose process has ended.
        returncode: of that process, negative for the signal that ended it.

    Raises:
        OSError: `status.json` is there and cannot be read.
    """
    status = read_status(run.status_json)
    if status is not None:
        state = _final(status.state)
        if state is not None:
            code = status.exit_code if status.exit_code is not None else _default_code(state, returncode)
            return Outcome(state, code, None if state == "finished" else status.cause or _unexplained(run, returncode))
    # Asked to end so early that it had not yet learnt to end well.
    if returncode in (-signal.SIGTERM, -signal.SIGINT):
        cause = Cause("stopped", f"The trainer was stopped by {_signal_name(-returncode)} before it could save.", "")
        return Outcome("stopped", ExitCode.STOPPED, cause)
    return Outcome("failed", _default_code("failed", returncode), _unexplained(run, returncode))


def _final(state: RunState) -> FinalState | None:
    """`state` if a run ends in it."""
    if state == "finished" or state == "stopped" or state == "failed":
        return state
    return None


def _default_code(state: FinalState, returncode: int) -> int:
    """The exit code of a run that did not state one: the process's where it is one of ours."""
    if state == "finished":
        return ExitCode.FINISHED
    if state == "stopped":
        return ExitCode.STOPPED
    known = {int(code) for code in EXIT_CODE_MEANINGS} - {ExitCode.FINISHED}
    return returncode if returncode in known else ExitCode.INTERNAL


def _unexplained(run: RunDirectory, returncode: int) -> Cause:
    """The cause of an end that the trainer did not explain itself."""
    fix = f"The last lines of {run.console_log} say more."
    if returncode == -signal.SIGKILL:
        return Cause(
            "killed",
            "The trainer was killed from outside (signal 9), possibly by the host's out-of-memory killer.",
            f"`dmesg | grep -i 'killed process'` tells whether memory ran out. {fix}",
        )
    if returncode < 0:
        return Cause("killed", f"The trainer was killed by {_signal_name(-returncode)}.", fix)
    if returncode == 0:
        return Cause("internal", "The trainer ended without saying how its run ended.", fix)
    return Cause("internal", f"The trainer exited with code {returncode} without saying why.", fix)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
