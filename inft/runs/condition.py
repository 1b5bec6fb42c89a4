"""What can be said of a run, from its recorded status and what can be seen of it; nothing is read in here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from inft.errors import ExitCode
from inft.params import BasicParams
from inft.runs.checkpoints import Checkpoint
from inft.runs.control import Request
from inft.runs.directory import RunRecord
from inft.runs.endings import way_on
from inft.runs.events import EndState
from inft.runs.status import Cause, Pids, RunState, Status
from inft.runs.visible import visible

START_GRACE_S = 30.0
"""A run without a trainer may just be starting one; the slowest machine does that sooner than this."""

Sight: TypeAlias = Literal["processes", "lock", "rebooted", "heartbeat"]
"""What tells whether a run of that machine lives, as seen from here.

processes: they are this machine's, and have the numbers that we see. lock: they are, and live in another container; the
kernel's lock of the output folder is the same for both. rebooted: this machine was restarted since. heartbeat: another
machine.
"""


@dataclass(frozen=True)
class Condition:
    """A run as it really is.

    Attributes:
        state: what it is doing, or how it ended.
        alive: whether somebody works on it, or still writes down how it ended.
        supervised: whether a supervisor watches over it.
        training: whether its trainer lives, as far as that can be told.
        stalled_sec: seconds since its last sign of progress, where those are too many; else None.
        elsewhere: whether it runs on another machine, so that only its heartbeat can be judged.
        exit_code: of the run; None while it lives.
        cause: why it stopped or failed.
        step: optimiser steps done.
        max_steps: optimiser steps in all; None until known.
        pids: its recorded processes, alive or not.
        heartbeat: when its status was last written; empty if it has none.
        heartbeat_age: the same, in seconds before now; None if that cannot be told.
        recorded: whether the state is the run's own last word, and not concluded from what is gone.
        note: what of it cannot be read, and what this is told from instead; empty = all is well.
    """

    state: RunState
    alive: bool
    supervised: bool
    training: bool = False
    stalled_sec: float | None = None
    elsewhere: bool = False
    exit_code: int | None = None
    cause: Cause | None = None
    step: int = 0
    max_steps: int | None = None
    pids: Pids = field(default_factory=Pids)
    heartbeat: str = ""
    heartbeat_age: float | None = None
    recorded: bool = True
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """What can be seen of a run besides its record and its status.

    Attributes:
        here: whether its processes are those of this machine.
        rebooted: whether this machine was restarted since the run was made.
        lost: whether its status is damaged or gone, and the one to judge only stands in for it.
        told_end: how it ended by its events, where its status cannot be read; None = they tell of no end.
        supervisor: whether its supervisor lives.
        trainer: whether its trainer lives.
        heartbeat_age: seconds since its status was written; None if that cannot be told.
        stall_sec: a larger age is too much.
        asked: requests that nobody has honoured.
        name: how a command names the run; empty = nobody wants to know how to go on with it.
        checkpoint: its newest complete checkpoint, as far as anybody looked.
        tail: the last lines of its `console.log`, as far as anybody looked.
    """

    here: bool = True
    rebooted: bool = False
    lost: bool = False
    told_end: EndState | None = None
    supervisor: bool = False
    trainer: bool = False
    heartbeat_age: float | None = None
    stall_sec: float = BasicParams.stall_sec
    asked: frozenset[Request] = frozenset()
    name: str = ""
    checkpoint: Checkpoint | None = None
    tail: tuple[str, ...] = ()


def judge(status: Status, record: RunRecord, facts: Facts) -> Condition:
    """What `status` and `facts` add up to."""
    alive = may_live(status, facts)
    age = facts.heartbeat_age
    live = Condition(
        state=status.state,
        alive=alive,
        supervised=alive and (facts.supervisor if facts.here else status.pids.supervisor is not None),
        training=alive and (facts.trainer if facts.here else status.pids.trainer is not None),
        stalled_sec=age if alive and age is not None and age > facts.stall_sec else None,
        elsewhere=not facts.here,
        exit_code=status.exit_code,
        cause=status.cause,
        step=status.step,
        max_steps=status.max_steps,
        pids=status.pids,
        heartbeat=status.heartbeat,
        heartbeat_age=age,
    )
    if alive or status.is_final:
        return live
    if facts.told_end is not None:
        return _ended_by_its_events(live, facts, facts.told_end)
    cause = _cause_of_silence(status, record, facts)
    stopped = cause.kind == "aborted"
    return Condition(
        state="stopped" if stopped else "failed",
        alive=False,
        supervised=False,
        exit_code=ExitCode.STOPPED if stopped else ExitCode.INTERNAL,
        cause=cause,
        step=status.step,
        max_steps=status.max_steps,
        pids=status.pids,
        heartbeat=status.heartbeat,
        heartbeat_age=age,
        recorded=False,
    )


def sight_of(record: RunRecord, *, host: str, boot: str | None, namespace: str | None) -> Sight:
    """What tells from here whether the run of `record` lives.

    Args:
        record: of the run.
        host: this machine's name, which a container may share with another, and change when it is restarted.
        boot: this boot of it.
        namespace: where the numbers of processes that we see mean something.
    """
    if boot is None or record.boot_id is None:
        return "processes" if record.host == host else "heartbeat"
    if record.boot_id != boot:
        return "rebooted" if record.host == host else "heartbeat"
    known = record.pid_namespace is not None
    if record.pid_namespace == namespace if known else record.host == host:
        return "processes"
    return "lock"


def is_out_of_sight(condition: Condition) -> bool:
    """Whether the run may have died with another machine: it cannot be seen from here, and has been silent for long."""
    return condition.elsewhere and condition.stalled_sec is not None


def may_live(status: Status, facts: Facts) -> bool:
    """Whether somebody works on the run, or may."""
    if status.is_final or (facts.told_end is not None and not facts.here):
        return False
    if not facts.here or facts.trainer or facts.supervisor:
        return True  # silence of another machine proves nothing
    # A supervisor killed right after it started the trainer leaves one that has yet to write that it is there.
    nobody_yet = status.pids.trainer is None and not facts.rebooted and not facts.lost
    return nobody_yet and facts.heartbeat_age is not None and facts.heartbeat_age <= START_GRACE_S


def _ended_by_its_events(live: Condition, facts: Facts, state: EndState) -> Condition:
    """The end of a run whose status was lost after it had told its events that it is over."""
    codes = {"finished": ExitCode.FINISHED, "stopped": ExitCode.STOPPED, "failed": ExitCode.INTERNAL}
    cause = None
    if state != "finished":
        again = _again(facts)
        tail = facts.tail if state == "failed" else ()
        cause = Cause("stopped" if state == "stopped" else "internal", f"Its events say that it {state}.", again, tail)
    note = "Its status.json is damaged or gone; how it ended is told by the last event in its metrics.jsonl."
    return replace(live, state=state, exit_code=int(codes[state]), cause=cause, recorded=False, note=note)


def _again(facts: Facts) -> str:
    if not facts.name:
        return ""
    return way_on(facts.name, None if facts.checkpoint is None else visible(str(facts.checkpoint.path)))


def _cause_of_silence(status: Status, record: RunRecord, facts: Facts) -> Cause:
    """Why a run may have ended whose processes are gone and left no word."""
    again = _again(facts)
    at = f"after step {status.step:,}" if status.step else "before its first step"
    if facts.lost and not status.step:
        at = "at an unknown step"
    if facts.rebooted:
        return Cause(
            "machine_restarted", f"{visible(record.host)} was restarted, and the run ended with it, {at}.", again
        )
    if "abort" in facts.asked:
        return Cause("aborted", f"Aborted on request {at}.", again)
    if facts.lost:
        message = f"The run's status.json is damaged or gone, and nobody works on the run any more; it ended {at}."
        return Cause("killed", message, again, facts.tail)
    if status.pids.trainer is None:
        return Cause("killed", "The run was queued, and whatever was to start it is gone.", again, facts.tail)
    who = "trainer and supervisor are" if status.pids.supervisor is not None else "trainer is"
    return Cause(
        "killed",
        f"The run's {who} gone without a word, {at}: killed from outside, or by the host that ran out of memory.",
        f"{again} `dmesg | grep -i 'killed process'` tells whether memory was the reason.".lstrip(),
        facts.tail,
    )
