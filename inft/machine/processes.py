"""Processes that cannot be mistaken for later ones with the same number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

# psutil turns the kernel's start time, which counts from boot, into a date with the clock as it is now, and that clock
# is corrected now and then. No pid comes round again within this time.
START_TOLERANCE_S = 2.0

_GONE_STATES = frozenset("ZXx")
"""Letters of /proc/PID/stat for a process that has ended and only waits for its parent to notice."""


@dataclass(frozen=True)
class ProcessId:
    """A process.

    Attributes:
        pid: its number.
        started: when it started, in seconds since 1970.
        ticks: the same in the kernel's ticks since boot, which no correction of the clock moves; None where the system
            does not tell (other systems than Linux).
    """

    pid: int
    started: float
    ticks: int | None = None


def this_process() -> ProcessId:
    """The process that asks."""
    found = process_of(os.getpid())
    assert found is not None
    return found


def process_of(pid: int) -> ProcessId | None:
    """The process that has the number `pid` now, ended but uncollected ones included; None if there is none."""
    import psutil  # 15 ms and 4 MB that `is_alive` does without

    ticks = None if (stat := _stat(pid)) is None else stat[1]
    try:
        return ProcessId(pid, psutil.Process(pid).create_time(), ticks)
    except psutil.NoSuchProcess:
        return None


def pid_namespace() -> str | None:
    """A name for the set of processes within which this one's number means something: a container has its own.

    Of two containers that live at the same time none has the other's. None where the system has no such sets.
    """
    try:
        return os.readlink(_PROC / "self" / "ns" / "pid")
    except OSError:
        return None


def is_alive(process: ProcessId) -> bool:
    """Whether that very process still runs; one that ended but was not yet collected by its parent does not."""
    if process.ticks is not None and _PROC.is_dir():
        stat = _stat(process.pid)
        if stat is None:
            return _is_hidden(process.pid)
        return stat[0] not in _GONE_STATES and stat[1] == process.ticks
    return _is_alive_by_date(process)


def _is_alive_by_date(process: ProcessId) -> bool:
    import psutil

    try:
        found = psutil.Process(process.pid)
        started: float = found.create_time()
        ended: bool = found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return abs(started - process.started) <= START_TOLERANCE_S and not ended


def _is_hidden(pid: int) -> bool:
    """Whether the number is another user's process on a machine that shows everybody only their own (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return False  # ours, and gone between the two looks or just come


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start in ticks since boot, fields 3 and 22 of /proc/PID/stat; None = no such process to be seen.

    Source: proc_pid_stat(5).
    """
    try:
        line = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError, PermissionError):
        return None  # the last one under hidepid=1, where another user's process has a name and no more
    # The second field is the program's name in brackets, which may itself hold spaces and brackets.
    fields = line[line.rindex(b")") + 2 :].split()
    return fields[0].decode("ascii"), int(fields[19])
