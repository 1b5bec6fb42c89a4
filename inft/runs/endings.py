"""Why a trainer ended that did not say so itself, worked out from what it left behind."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from inft.errors import (
    EXIT_CODE_MEANINGS,
    ConfigError,
    CrashedError,
    DataError,
    DiskError,
    DivergedError,
    ExitCode,
    HubError,
    LibraryError,
    NotReadyError,
    OutOfMemoryError,
)
from inft.runs.control import Request
from inft.runs.escalation import Patience
from inft.runs.status import Cause

EndState: TypeAlias = Literal["stopped", "failed"]

# The kinds of the exit codes by which a trainer may end although its status could not be written.
_KINDS = {
    int(error.exit_code): error.kind
    for error in (ConfigError, NotReadyError, OutOfMemoryError, DivergedError, DataError, DiskError, HubError)
}

_CRASHES = {
    signal.SIGSEGV: ("native code touched memory that is not its own", ""),
    signal.SIGBUS: (
        "usually because shared memory is full",
        "Enlarge /dev/shm (`docker run --shm-size`), or set data.num_workers = 0.",
    ),
    signal.SIGABRT: ("native code gave up", ""),
    signal.SIGFPE: ("native code divided by zero", ""),
    signal.SIGILL: (
        "native code holds an instruction that this CPU does not have",
        "Install builds of the libraries that are made for this CPU.",
    ),
    signal.SIGTRAP: ("native code gave up", ""),
    signal.SIGSYS: ("a system call is forbidden here", "Loosen the container's seccomp profile."),
}

_MISSING_LIBRARY = re.compile(
    r"^(ImportError|ModuleNotFoundError)\b|cannot open shared object file|undefined symbol|No module named"
)

# What a run wrote at its end about how to go on, which names folders; what they hold may since be another run's.
_WAY_ON = re.compile(
    r"Its adapters are in .*, its checkpoint is in .*; `inft-tui resume [^`]*` goes on from there\."
    r"|`inft-tui resume [^`]*` goes on from its last complete checkpoint, .*/checkpoint-\d+\."
    r"|No checkpoint was complete yet, so it has to start again\."
)

# A traceback's last line stands at the margin, below its indented frames.
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Warning)\b")


@dataclass(frozen=True)
class Evidence:
    """What is known about a trainer that ended.

    Attributes:
        returncode: of its process, negative for the signal that ended it.
        run: how a command names the run, see `inft.runs.find.reference`.
        tail: the last lines of its `console.log`, safe to show.
        out_of_memory: whether the kernel's out-of-memory killer struck around the end.
        killed_for: the request for which its supervisor killed it.
        aborting: whether somebody had asked to abort.
        patience: the times after which it was killed.
        checkpoint: where its last complete checkpoint is; None = there is none.
    """

    returncode: int
    run: str
    tail: tuple[str, ...] = ()
    out_of_memory: bool = False
    killed_for: Request | None = None
    aborting: bool = False
    patience: Patience = field(default_factory=Patience)
    checkpoint: str | None = None


@dataclass(frozen=True)
class Ending:
    """How a run ended without finishing.

    Attributes:
        state: in one word.
        exit_code: of the run.
        cause: why.
    """

    state: EndState
    exit_code: int
    cause: Cause


def cause_of_end(evidence: Evidence) -> Ending:
    """How the run ended whose trainer left no final status."""
    returncode = evidence.returncode
    if returncode == -signal.SIGKILL and (evidence.killed_for is not None or evidence.aborting):
        return _killed_on_request(evidence)
    if returncode in (-signal.SIGTERM, -signal.SIGINT) or returncode == ExitCode.STOPPED:
        return _stopped(evidence)
    if returncode == -signal.SIGKILL and evidence.out_of_memory:
        return _out_of_memory(evidence)
    if returncode < 0:
        return _ended_by_signal(evidence)
    if returncode > 0 and (line := _missing_library(evidence.tail)) is not None:
        return _library(evidence, line)
    if returncode in _KINDS:
        return _named_by_exit_code(evidence)
    return _unknown(evidence)


def way_on(run: str, checkpoint: str | None) -> str:
    """The sentence that says how to go on with a run that did not finish."""
    if checkpoint is None:
        return "No checkpoint was complete yet, so it has to start again."
    return f"`inft-tui resume {run}` goes on from its last complete checkpoint, {checkpoint}."


def told_anew(cause: Cause, run: str, checkpoint: str | None) -> Cause:
    """`cause`, with how to go on as it is now: what was written at the run's end may name what is another run's by now.

    Args:
        cause: as it was written.
        run: how a command names the run.
        checkpoint: where its last complete checkpoint is now; None = there is none.
    """
    return replace(cause, fix=_WAY_ON.sub(lambda _: way_on(run, checkpoint), cause.fix))


def signal_name(number: int) -> str:
    """For instance `signal 9 (SIGKILL)`; numbers without a name stay numbers."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _killed_on_request(evidence: Evidence) -> Ending:
    patience = evidence.patience
    if evidence.killed_for == "stop":
        kind = "stopped"
        message = (
            f"The trainer did not end within {patience.terminate:g} seconds of SIGTERM after a request to stop, and "
            "was killed."
        )
    elif evidence.killed_for == "abort":
        kind = "aborted"
        message = f"The trainer did not end within {patience.abort:g} seconds of a request to abort, and was killed."
    else:
        kind, message = "aborted", "Aborted on request."
    return Ending("stopped", ExitCode.STOPPED, Cause(kind, message, _way_on(evidence)))


def _stopped(evidence: Evidence) -> Ending:
    by = f" by {signal_name(-evidence.returncode)}" if evidence.returncode < 0 else ""
    message = f"The trainer was stopped{by} before it could save."
    return Ending("stopped", ExitCode.STOPPED, Cause("stopped", message, _way_on(evidence)))


def _out_of_memory(evidence: Evidence) -> Ending:
    cause = Cause(
        OutOfMemoryError.kind,
        "The machine or container ran out of main memory, and the kernel killed the trainer.",
        f"Lower data.num_workers, end other programs or allow the container more. {_way_on(evidence)}",
        evidence.tail,
    )
    return Ending("failed", ExitCode.OUT_OF_MEMORY, cause)


def _ended_by_signal(evidence: Evidence) -> Ending:
    number = -evidence.returncode
    name = signal_name(number)
    if number in _CRASHES:
        reason, fix = _CRASHES[signal.Signals(number)]
        message = f"The trainer crashed with {name}: {reason}."
        cause = Cause(CrashedError.kind, message, f"{fix} {_way_on(evidence)}".strip(), evidence.tail)
    else:
        message = (
            f"The trainer was killed from outside by {name}, for instance by a person, a scheduler or a memory guard."
        )
        cause = Cause("killed", message, _way_on(evidence), evidence.tail)
    return Ending("failed", ExitCode.INTERNAL, cause)


def _missing_library(tail: tuple[str, ...]) -> str | None:
    """The line of the last exception if it says that a library is missing or broken."""
    # Further up, libraries also tell what they can do without.
    for line in reversed(tail[-3:]):
        if _MISSING_LIBRARY.search(line):
            return line
        if _EXCEPTION.match(line):
            return None
    return None


def _library(evidence: Evidence, line: str) -> Ending:
    cause = Cause(
        LibraryError.kind,
        f"A library that training needs could not be loaded: {line.strip().rstrip('.')}.",
        "Install the training libraries of this version into this environment: `pip install 'inft-tui[train]'`.",
        evidence.tail,
    )
    return Ending("failed", LibraryError.exit_code, cause)


def _named_by_exit_code(evidence: Evidence) -> Ending:
    code = ExitCode(evidence.returncode)
    said = f": {evidence.tail[-1].rstrip('.')}" if evidence.tail else ""
    message = f"The trainer ended with exit code {code:d} ({EXIT_CODE_MEANINGS[code]}){said}."
    return Ending("failed", code, Cause(_KINDS[code], message, _way_on(evidence), evidence.tail))


def _unknown(evidence: Evidence) -> Ending:
    if evidence.returncode == ExitCode.FINISHED:
        message = "The trainer ended without saying how its run ended."
    elif evidence.tail and _EXCEPTION.match(evidence.tail[-1]):
        message = f"The trainer exited with code {evidence.returncode}: {evidence.tail[-1].rstrip('.')}."
    else:
        message = f"The trainer exited with code {evidence.returncode} without saying why."
    fix = f"The last lines of its console.log may tell. {_way_on(evidence)}"
    return Ending("failed", ExitCode.INTERNAL, Cause("internal", message, fix, evidence.tail))


def _way_on(evidence: Evidence) -> str:
    return way_on(evidence.run, evidence.checkpoint)
