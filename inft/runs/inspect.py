"""What a run is really doing: its recorded status, checked against the processes that there are.

A status is only as good as its writer, and the writer may have been killed. So whoever wants to know asks here. Nothing
is written: where all of a run's processes are gone, every reader comes to the same answer by itself.
"""

from __future__ import annotations

import os
import time
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from inft.errors import ConfigError, InftError
from inft.machine.boot import boot_id, uptime
from inft.machine.processes import ProcessId, is_alive, pid_namespace
from inft.params import BasicParams
from inft.runs.clock import timestamp, utc_now
from inft.runs.condition import Condition, Facts, is_out_of_sight, judge, may_live, sight_of
from inft.runs.console_log import last_lines
from inft.runs.control import pending
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.find import reference
from inft.runs.follow import last_events, told_end
from inft.runs.locks import Standing, standing
from inft.runs.provenance import host_name
from inft.runs.records import read_record, unreadable
from inft.runs.saved import checkpoint_folder, last_checkpoint
from inft.runs.status import Status, read_status
from inft.runs.visible import visible

SECOND_LOOK_S = 1.0
"""A trainer at work replaces a damaged status within this time, unless its steps take longer."""

OUTDATED = "Its status.json cannot be read any more; this is what it said before."


def inspect(run: RunDirectory) -> Condition:
    """What `run` is really doing.

    Raises:
        ConfigError: the folder is no run's, `run.json` is damaged or of a newer version, or `status.json` is damaged
            and somebody may still work on the run.
        DiskError: one of them cannot be read.
    """
    return Inspector(run).look()


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
        self._lost = self._has_read = self._outdated = False
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
        found = self._look()
        return replace(found, note=found.note or OUTDATED) if self._outdated else found

    def _look(self) -> Condition:
        status = self._status()
        while True:
            if self._concluded is not None and self._concluded[0] == status:
                return self._concluded[1]  # the dead stay dead, and looking for their checkpoints takes a while
            if status.is_final:
                here = self._sight != "heartbeat"
                return judge(status, self.record, Facts(here=here, heartbeat_age=self._age(status)))
            facts = self._facts(status)
            if may_live(status, facts):
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
            self._outdated = status is None and self._has_read
            if status is not None:
                self._last, self._lost, self._has_read = status, False, True
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
            told_end=told_end(last_events(self.run)) if self._lost or self._outdated else None,
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
