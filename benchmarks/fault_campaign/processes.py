"""Starts a run's real supervisor and trainer as forks of a process that has the libraries loaded already."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO, Any

import msgspec

from benchmarks.fault_campaign.kinds import Fault, Trap
from inft import trainer
from inft.runs import clock
from inft.runs.directory import RunDirectory
from inft.runs.follow import follow
from inft.runs.handover import SUPERVISED
from inft.runs.inspect import Inspector
from inft.runs.jsonl import JsonlLogger, strict
from inft.runs.launch import supervisor_log
from inft.runs.locks import ENVIRONMENT, OutputLocks
from inft.runs.status import RunState, Status, StatusFile
from inft.runs.supervisor import plan_of, supervise
from inft.training import control
from inft.training.console import steady_standard_streams
from inft.training.report import RunReport


@dataclass(frozen=True)
class Launched:
    """The processes of a run and the pipe on which its trainer tells of itself.

    Attributes:
        supervisor: its number.
        follower: its number.
        told: what the trainer tells, in lines: see `Telling`.
        seen: what the follower says at its end, the checksums of the lines it saw.
    """

    supervisor: int
    follower: int
    told: int
    seen: int


class Telling:
    """What the trainer tells to a pipe outside of everything that a fault can spoil.

    `P pid`: it lives. `L checksum event`: this event is on disk. `S`: it begins to save. `O all renames`: how many
    changes to file systems it made. `E code`: its end, by its own word.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._write = os.write  # as it is before a trap counts the calls

    def tell(self, line: str) -> None:
        """Adds a line."""
        self._write(self._pipe, f"{line}\n".encode())

    def listen(self, log: Path) -> None:
        """From now on, tells of every event that this process's writer of `log` says is written, and of every save."""
        write, state = JsonlLogger.write, RunReport.state

        def write_and_tell(logger: JsonlLogger, record: Mapping[str, object]) -> None:
            write(logger, record)
            if logger.path == log:
                self.tell(f"L {zlib.crc32(msgspec.json.encode(strict(record)))} {record['event']}")

        def tell_of_saves(report: RunReport, phase: RunState) -> None:
            if phase == "saving":
                self.tell("S")
            state(report, phase)

        JsonlLogger.write = write_and_tell  # type: ignore[method-assign]
        RunReport.state = tell_of_saves  # type: ignore[method-assign]


def launch(run: RunDirectory, fault: Fault, operations: Mapping[str, int], folders: list[Path]) -> Launched:
    """Starts the run as `inft-tui` would.

    Args:
        run: the run.
        fault: what befalls its processes from within.
        operations: how many changes to the file system an undisturbed trainer makes, by `Trap.renames_only`'s words.
        folders: what it writes to.
    """
    told_reading, told_writing = os.pipe()
    seen_reading, seen_writing = os.pipe()
    locks = OutputLocks.acquire(folders, run, wait_s=5.0)
    inherited = [os.dup(descriptor) for descriptor in locks.descriptors]
    StatusFile(run.status_json).write(Status("queued"))
    supervisor = _fork(lambda: _supervise(run, fault, operations, inherited, told_writing), supervisor_log(run))
    for descriptor in (*inherited, told_writing):
        os.close(descriptor)
    locks.close()
    follower = _fork(lambda: _follow(run, seen_writing), run.path / "follower.log")
    os.close(seen_writing)
    os.set_blocking(told_reading, False)
    return Launched(supervisor, follower, told_reading, seen_reading)


class ForkedTrainer:
    """What `supervise` needs of the trainer."""

    def __init__(self, pid: int, stdin: IO[bytes]) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self._returncode: int | None = None

    def poll(self) -> int | None:
        """As `subprocess.Popen.poll`."""
        if self._returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._returncode = os.waitstatus_to_exitcode(status)
        return self._returncode


def _supervise(run: RunDirectory, fault: Fault, operations: Mapping[str, int], inherited: list[int], told: int) -> int:
    locks = OutputLocks(inherited)

    def start() -> ForkedTrainer:
        mine = [os.dup(descriptor) for descriptor in locks.descriptors]
        reading, writing = os.pipe()
        pid = _fork(lambda: _train(run, fault, operations, mine, (reading, writing), told), run.console_log)
        for descriptor in (reading, *mine):
            os.close(descriptor)
        return ForkedTrainer(pid, os.fdopen(writing, "wb"))

    _set_trap(fault.trap, "supervisor", operations)
    return supervise(run, replace(plan_of(run), write_pause_s=0.05), start)


def _train(
    run: RunDirectory,
    fault: Fault,
    operations: Mapping[str, int],
    locks: list[int],
    stdin: tuple[int, int],
    told: int,
) -> int:
    from benchmarks.fault_campaign.trainer import make_small

    os.dup2(stdin[0], 0)
    for descriptor in stdin:
        os.close(descriptor)
    os.environ[SUPERVISED] = "1"
    os.environ[ENVIRONMENT] = ",".join(map(str, locks))
    control.POLL_S = 0.05
    make_small()
    telling = Telling(told)
    telling.tell(f"P {os.getpid()}")
    if fault.clock_jump_s:
        jump_clock(fault.clock_jump_s, after=60)
    if fault.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_limit, fault.file_limit))
    count = _set_trap(fault.trap, "trainer", operations)
    steady_standard_streams()
    telling.listen(run.metrics)
    code = trainer.run_to_end(run)
    telling.tell(f"O {count.all} {count.renames}")
    telling.tell(f"E {int(code)}")
    return int(code)


def _follow(run: RunDirectory, seen: int) -> int:
    inspector = Inspector(run)
    lines = (line for lines in follow(run, lambda: inspector.look().alive, 0.02) for line in lines)
    checksums = [zlib.crc32(line.raw) for line in lines if line.record.get("event") != "foreign"]
    os.write(seen, msgspec.json.encode(checksums))
    return 0


def _fork(work: Callable[[], int], log: Path) -> int:
    """`work` in a process that is as if newly started: its own session, default signals, output to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = work()
    except BaseException:  # noqa: BLE001  # a process's edge, and no way back into its parent's code
        with suppress(OSError):
            traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


class Operations:
    """Counts the changes that this process makes to file systems, and kills it before one of them."""

    def __init__(self, last: int, renames_only: bool) -> None:
        self.all = self.renames = 0
        self._process = os.getpid()  # a fork inherits this object, and it is not for it
        self._last = last
        self._renames_only = renames_only

    def passing(self, *, is_rename: bool = False) -> None:
        """One is about to be made."""
        if os.getpid() != self._process:
            return
        self.all += 1
        self.renames += is_rename
        if (self.renames if self._renames_only else self.all) == self._last and (is_rename or not self._renames_only):
            os.kill(os.getpid(), signal.SIGKILL)


_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.symlink", "shutil.rmtree"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _set_trap(trap: Trap | None, who: str, operations: Mapping[str, int]) -> Operations:
    last, renames_only = -1, False
    if trap is not None and trap.who == who:
        renames_only = trap.renames_only
        total = operations["renames" if renames_only else "all"]
        # A supervisor does far less, most of it at its start and its end.
        last = 1 + int(trap.share * (total if who == "trainer" else 12))
    count = Operations(last, renames_only)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES:
            count.passing(is_rename=event == "os.rename")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            count.passing()

    sys.addaudithook(audit)
    write, sync = os.write, os.fsync

    def counted_write(descriptor: int, data: bytes) -> int:
        count.passing()
        return write(descriptor, data)

    def counted_sync(descriptor: int) -> None:
        count.passing()
        sync(descriptor)

    os.write, os.fsync = counted_write, counted_sync  # type: ignore[assignment]
    return count


def jump_clock(seconds: float, *, after: int) -> None:
    """From its `after`-th look on, this process reads another time of day."""
    looks = 0

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            """The time of day."""
            nonlocal looks
            looks += 1
            return datetime.now(tz) + timedelta(seconds=seconds if looks > after else 0)

    vars(clock)["datetime"] = Jumping


def is_running(pid: int) -> bool:
    """Whether a process has not ended yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False
