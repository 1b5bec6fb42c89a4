"""What a run is really doing: its recorded status, checked against the processes that there are.

A status is only as good as its writer, and the writer may have been killed. So whoever wants to know asks here. Nothing
is written: where all of a run's processes are gone, every reader comes to the same answer by itself.
"""

from __future__ import annotations

import os
import time
import tomllib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal, TypeAlias

from inft.errors import ConfigError, ExitCode, InftError
from inft.machine.boot import boot_id, uptime
from inft.machine.processes import ProcessId, is_alive, pid_namespace
from inft.params import BasicParams
from inft.runs.checkpoints import Checkpoint
from inft.runs.clock import timestamp, utc_now
from inft.runs.console_log import last_lines
from inft.runs.control import Request, pending
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.endings import way_on
from inft.runs.find import reference
from inft.runs.follow import last_events
from inft.runs.locks import Standing, standing
from inft.runs.provenance import host_name
from inft.runs.records import read_record, unreadable
from inft.runs.saved import checkpoint_folder, last_checkpoint
from inft.runs.status import Cause, Pids, RunState, Status, read_status
from inft.runs.visible import visible

START_GRACE_S = 30.0
"""A run without a trainer may just be starting one; the slowest machine does that sooner than this."""

SECOND_LOOK_S = 1.0
"""A trainer at work replaces a damaged status within this time, unless its steps take longer."""

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


@dataclass(frozen=True)
class Facts:
    """What can be seen of a run besides its record and its status.

    Attributes:
        here: whether its processes are those of this machine.
        rebooted: whether this machine was restarted since the run was made.
        lost: whether its status is damaged or gone, and the one to judge only stands in for it.
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
    alive = _is_alive(status, facts)
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


def inspect(run: RunDirectory) -> Condition:
    """What `run` is really doing.

    Raises:
        ConfigError: the folder is no run's, `run.json` is damaged or of a newer version, or `status.json` is damaged
            and somebody may still work on the run.
        DiskError: one of them cannot be read.
    """
    return Inspector(run).look()


def is_out_of_sight(condition: Condition) -> bool:
    """Whether the run may have died with another machine: it cannot be seen from here, and has been silent for long."""
    return condition.elsewhere and condition.stalled_sec is not None


def is_at_work_in_sight(run: RunDirectory) -> bool:
    """Whether `run` goes on, not counting one that is out of sight.

    Raises:
        ConfigError, DiskError: as `inspect`.
    """
    condition = inspect(run)
    return condition.alive and not is_out_of_sight(condition)


class Inspector:
    """Looks at one run again and again, and reads only once what does not change.

    Args:
        run: the run.
        record: its record, by whoever has read it already.
        brief: leave out how to go on with a run that ended without a word; looking for its checkpoints takes longer
            than all the rest.

    Raises:
        ConfigError: the folder is no run's, or its `run.json` is damaged or of a newer version.
        DiskError: it cannot be read.
    """

    def __init__(self, run: RunDirectory, record: RunRecord | None = None, *, brief: bool = False) -> None:
        self.run = run
        self.record = record if record is not None else read_record(run)
        self._brief = brief
        boot = boot_id()
        self._sight = sight_of(self.record, host=host_name(), boot=boot, namespace=pid_namespace())
        self._same_clock = boot is not None and (
            self.record.boot_id == boot or (self.record.boot_id is None and self.record.host == host_name())
        )
        self._last: Status | None = None
        self._lost = False
        self._concluded: tuple[Status, Condition] | None = None

    @property
    def sees_processes(self) -> bool:
        """Whether the recorded processes are those that have their numbers here."""
        return self._sight == "processes"

    def look(self) -> Condition:
        """What the run is really doing now.

        Raises:
            ConfigError: `status.json` is damaged, there was none before that could be trusted, and the run may live.
            DiskError: it cannot be read.
        """
        status = self._status()
        while True:
            if self._concluded is not None and self._concluded[0] == status:
                return self._concluded[1]  # the dead stay dead, and looking for their checkpoints takes a while
            if status.is_final:
                here = self._sight != "heartbeat"
                return judge(status, self.record, Facts(here=here, heartbeat_age=self._age(status)))
            facts = self._facts(status)
            if _is_alive(status, facts):
                found = judge(status, self.record, replace(facts, stall_sec=self.stall_sec))
                if not self._lost or is_out_of_sight(found):
                    return found
                status = self._second_look()
                if self._lost:
                    raise self._damaged()
                continue
            # Between the two looks it may have written its last word, or its first, before its process went.
            newer = self._status()
            if newer == status:
                break
            status = newer
        condition = judge(status, self.record, facts if self._brief else self._facts_of_the_end(facts))
        self._concluded = (status, condition)
        return condition

    @cached_property
    def stall_sec(self) -> float:
        """The run's `basic.stall_sec`, or the default where its `config.toml` does not tell."""
        try:
            stated = tomllib.loads(self.run.config_toml.read_text(encoding="utf-8"))["basic"]["stall_sec"]
        except (OSError, ValueError, KeyError, TypeError):
            return BasicParams.stall_sec
        return float(stated) if isinstance(stated, int | float) else BasicParams.stall_sec

    def _status(self) -> Status:
        path = self.run.status_json
        try:
            status = read_status(path)
            if status is not None:
                self._last, self._lost = status, False
            elif self._last is None or self._lost:
                self._last = self._without_status(is_there=path.exists())
        except OSError as error:
            raise unreadable(error, visible(str(path))) from error
        return self._last

    def _without_status(self, *, is_there: bool) -> Status:
        """What stands for a status that was not written yet, or was lost: a power cut may leave an empty file."""
        self._lost = is_there or (self.run.console_log.exists() and self.run.console_log.stat().st_size > 0)
        if not self._lost:
            return Status("queued", heartbeat=self.record.created)
        logged = [step for event in last_events(self.run) if isinstance(step := event.get("global_step"), int)]
        return Status("training", heartbeat=self._last_sign(), step=max(logged, default=0))

    def _last_sign(self) -> str:
        """When one of the trainer's files last changed."""
        changed = []
        for path in (self.run.status_json, self.run.metrics, self.run.console_log):
            try:
                changed.append(path.stat().st_mtime)
            except FileNotFoundError:
                continue
        return timestamp(datetime.fromtimestamp(max(changed), UTC)) if changed else self.record.created

    def _second_look(self) -> Status:
        """The status after a trainer that lives had the time to replace what is damaged."""
        end = time.monotonic() + (0.0 if self._brief else SECOND_LOOK_S)
        status = self._status()
        while self._lost and time.monotonic() < end:
            time.sleep(SECOND_LOOK_S / 20)
            status = self._status()
        return status

    def _damaged(self) -> ConfigError:
        what = "is damaged" if os.path.lexists(self.run.status_json) else "is missing"
        return ConfigError(
            f"{visible(str(self.run.status_json))} {what}, so nobody can tell what the run is doing.",
            "If the run lives, it writes a new one at its next step.",
        )

    def _facts(self, status: Status) -> Facts:
        """What it takes to say whether the run lives."""
        lock = self._lock() if self._sight == "lock" or (self._lost and self.sees_processes) else None
        # An output folder that is not there may be another container's own.
        blind = self._sight == "lock" and lock in ("absent", "unknown")
        facts = Facts(
            here=self._sight != "heartbeat" and not blind,
            rebooted=self._sight == "rebooted",
            lost=self._lost,
            heartbeat_age=self._age(status),
            asked=pending(self.run),
        )
        if lock is None:
            checkable = self.sees_processes
            return replace(
                facts,
                supervisor=checkable and _lives(status.pids.supervisor),
                trainer=checkable and _lives(status.pids.trainer),
            )
        held = lock == "held" or (lock == "unknown" and self.sees_processes)
        return replace(
            facts,
            # Who holds the lock of a run without a status, it does not say; a supervisor does for "somebody".
            supervisor=held and (self._lost or status.pids.supervisor is not None),
            trainer=held and status.pids.trainer is not None,
        )

    def _lock(self) -> Standing:
        """What the kernel knows of the lock that the run's processes hold together."""
        from inft.profiles import load_config  # 50 ms that only this look needs

        try:
            return standing(checkpoint_folder(self.run, load_config(self.run.config_toml)), self.run.run_id)
        except InftError:
            return "unknown"

    def _facts_of_the_end(self, facts: Facts) -> Facts:
        """With what helps to go on with a run that ended without a word."""
        return replace(
            facts,
            name=reference(self.run),
            checkpoint=last_checkpoint(self.run),
            tail=last_lines(self.run.console_log),
        )

    def _age(self, status: Status) -> float | None:
        return _age(status, same_clock=self._same_clock)


def _is_alive(status: Status, facts: Facts) -> bool:
    if status.is_final:
        return False
    if not facts.here or facts.trainer or facts.supervisor:
        return True  # silence of another machine proves nothing
    # A supervisor killed right after it started the trainer leaves one that has yet to write that it is there.
    nobody_yet = status.pids.trainer is None and not facts.rebooted and not facts.lost
    return nobody_yet and facts.heartbeat_age is not None and facts.heartbeat_age <= START_GRACE_S


def _cause_of_silence(status: Status, record: RunRecord, facts: Facts) -> Cause:
    """Why a run may have ended whose processes are gone and left no word."""
    again = ""
    if facts.name:
        again = way_on(facts.name, None if facts.checkpoint is None else visible(str(facts.checkpoint.path)))
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


def _lives(process: ProcessId | None) -> bool:
    return process is not None and is_alive(process)


def _age(status: Status, *, same_clock: bool) -> float | None:
    """Seconds since the status was written; None if it does not say when."""
    if same_clock and status.uptime is not None:
        # A steady clock: nobody can set it. Less than nothing is one of another boot, from before boots were recorded.
        elapsed = uptime() - status.uptime
        if elapsed >= 0:
            return elapsed
    try:
        written = datetime.fromisoformat(status.heartbeat)
        return max(0.0, (utc_now() - written).total_seconds())
    except (ValueError, TypeError):
        return None
