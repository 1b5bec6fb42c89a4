"""One run at a time writes to an output folder.

Beside each such folder lies `.<name>.lock`, or in it `.inft.lock` where nothing can lie beside it. A run holds it by
`flock` on an open file that its processes inherit from one another, launcher to supervisor to trainer. So it is free
exactly when the last of them is dead, however they died, and nobody has to clean up. What the file says is for people,
and for file systems that cannot lock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

import msgspec

from inft.errors import ConfigError, InftError, disk_error
from inft.machine.boot import boot_id
from inft.runs import provenance
from inft.runs.clock import timestamp, utc_now
from inft.runs.directory import RunDirectory
from inft.runs.redact import storable
from inft.runs.status import read_status

ENVIRONMENT = "INFT_LOCKS"
"""The variable that tells a child process which of its open files are locks: their numbers, separated by commas."""

INSIDE = ".inft.lock"
"""The lock of a folder that is a mount, whose surroundings each container has for itself, or whose parent is closed."""

Flock: TypeAlias = Callable[[int, int], None]
IsGoingOn: TypeAlias = Callable[[RunDirectory], bool]

Standing: TypeAlias = Literal["held", "free", "absent", "unknown"]
"""Of a run's lock: held by its processes; free of them; never made, or not seen from here; cannot be told."""

_POLL_S = 0.1
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

_HALF_READ_S = 0.5
"""How long what cannot be understood may be a file that is just being written."""

_RIVAL_S = 0.3
"""Where nothing can be locked: how long after our own word another's, written at the same moment, may still appear."""


@dataclass(frozen=True)
class Holder:
    """What a lock file says.

    Attributes:
        run_id: the run that writes to the folder.
        path: its run directory.
        host: the machine it runs on.
        pid: the process that took the lock; the run's others inherited it.
        created: when.
        boot_id: that boot of the machine, see `inft.machine.boot`.
    """

    run_id: str
    path: str
    host: str
    pid: int
    created: str
    boot_id: str | None = None


class OutputLocks:
    """The locks of one run.

    Args:
        descriptors: open files on which they are held.
    """

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._descriptors = tuple(descriptors)
        _HELD.add(self)

    @classmethod
    def acquire(
        cls,
        folders: Sequence[Path],
        run: RunDirectory,
        wait_s: float = 30.0,
        *,
        going_on: IsGoingOn | None = None,
        flock: Flock = fcntl.flock,
    ) -> OutputLocks:
        """Takes the locks of `folders` for `run`, or none.

        Args:
            folders: what the run writes to; they need not exist.
            run: the run.
            wait_s: seconds to wait for a run that has said its last word and whose processes are still ending.
            going_on: whether a run is still at work, asked where the lock itself cannot tell; None = `inspect`.
            flock: the system's; a test hands in its own.

        Raises:
            ConfigError: another run writes to one of the folders.
            DiskError: a lock file could not be written.
        """
        taken: list[int] = []
        try:
            # In one order for everybody, so that of two runs with the same folders one gets them all.
            for folder in sorted({os.path.realpath(folder) for folder in folders}):
                taken.append(_Lock(Path(folder), run, going_on or _is_going_on, flock).take(wait_s))
        except BaseException:
            for descriptor in taken:
                os.close(descriptor)
            raise
        return cls(taken)

    @classmethod
    def adopt(cls, numbers: str) -> OutputLocks:
        """The locks that this process inherited.

        Args:
            numbers: the value of the environment variable `INFT_LOCKS`.

        Raises:
            ConfigError: these are no open files of this process.
        """
        try:
            descriptors = [int(number) for number in numbers.split(",") if number]
            for descriptor in descriptors:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                os.set_inheritable(descriptor, False)
        except (ValueError, OSError):
            raise ConfigError(
                f"{ENVIRONMENT}={numbers} does not name open files of this process.", f"Unset {ENVIRONMENT}."
            ) from None
        return cls(descriptors)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open files, for `pass_fds`; no program started otherwise inherits them."""
        return self._descriptors

    @property
    def environment(self) -> dict[str, str]:
        """What a process that is given the descriptors must find in its environment."""
        return {ENVIRONMENT: ",".join(map(str, self._descriptors))}

    def close(self) -> None:
        """Lets go of them; they stay locked while another process of the run has them. A second call does nothing."""
        _HELD.discard(self)
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)

    def __enter__(self) -> OutputLocks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def lock_file(folder: Path) -> Path:
    """Where the lock of `folder` lies: beside it, so that the folder itself may be moved away, if that can be.

    A lock that is there already decides for everybody, whoever may write where.
    """
    inside, beside = folder / INSIDE, folder.with_name(f".{folder.name}.lock")
    if os.path.ismount(folder):
        return inside
    if beside.exists():
        return beside
    has_neighbours = os.access(folder.parent, os.W_OK | os.X_OK)
    return inside if inside.exists() or (folder.is_dir() and not has_neighbours) else beside


def standing(folder: Path, run_id: str, flock: Flock = fcntl.flock) -> Standing:
    """What the kernel knows of the lock of `folder`; nothing is written, and nobody is kept waiting.

    Args:
        folder: what the run writes to.
        run_id: the run.
        flock: the system's; a test hands in its own.
    """
    path = lock_file(Path(os.path.realpath(folder)))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except OSError:
        return "unknown"
    try:
        flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that look at once do not mislead each other
    except BlockingIOError:
        holder = read_holder(path)
        return "held" if holder is None or holder.run_id == run_id else "free"
    except OSError:
        return "unknown"
    finally:
        os.close(descriptor)
    return "free"


_READS = 20
"""Times that a file is read which says nothing: a read may fall into a write, and the next one hardly does as well."""


def read_holder(path: Path) -> Holder | None:
    """Who holds, or last held, the lock file `path`; None if it does not say.

    Raises:
        OSError: the file is there and cannot be read.
    """
    for _ in range(_READS):
        try:
            checked = _DECODER.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            continue
        holder = Holder(checked.run_id, checked.path, checked.host, checked.pid, checked.created, checked.boot_id)
        if checked.check == _check(holder):
            return holder
    return None


@dataclass(frozen=True, kw_only=True)
class _Content(Holder):
    """A holder and the checksum by which a reader knows that it saw one write, and not parts of two."""

    check: int


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(_Content)


class _Lock:
    """Taking one lock.

    Args:
        folder: what it guards, without links in its path.
        run: who wants it.
        going_on: see `OutputLocks.acquire`.
        flock: see `OutputLocks.acquire`.
    """

    def __init__(self, folder: Path, run: RunDirectory, going_on: IsGoingOn, flock: Flock) -> None:
        self._folder = folder
        self._path = lock_file(folder)
        self._run = run
        self._going_on = going_on
        self._flock = flock
        self._works = True

    def take(self, wait_s: float) -> int:
        """The open file on which it is now held."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._wait_for(descriptor, wait_s)
                # One write, never shorter than what it replaces: at no moment is the file empty or cut short.
                os.pwrite(descriptor, self._content().ljust(os.fstat(descriptor).st_size), 0)
                if not self._works:
                    self._give_way_to_rivals()
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise disk_error(error, self._path) from error
        return descriptor

    def _wait_for(self, descriptor: int, wait_s: float) -> None:
        began = time.monotonic()
        while not self._is_free(descriptor):
            waited = time.monotonic() - began
            holder = read_holder(self._path)
            patience = wait_s if holder is None or _has_ended(holder) else 0.0
            if waited >= (min(patience, _HALF_READ_S) if holder is None else patience):
                raise self._refusal(holder)
            time.sleep(_POLL_S)

    def _is_free(self, descriptor: int) -> bool:
        """Whether the lock is ours now."""
        try:
            self._flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                raise
            self._works = False
            return not self._is_named_run_going_on()
        # A file system that many machines share may lock on each of them by itself.
        holder = read_holder(self._path)
        return holder is None or _is_of_this_machine(holder) or not self._is_named_run_going_on()

    def _is_named_run_going_on(self) -> bool:
        holder = read_holder(self._path)
        return (
            holder is not None and holder.run_id != self._run.run_id and self._going_on(RunDirectory(Path(holder.path)))
        )

    def _give_way_to_rivals(self) -> None:
        """Of two that found the folder free at the same moment, the one that wrote last has it."""
        time.sleep(_RIVAL_S)
        holder = read_holder(self._path)
        if holder is None or holder.run_id != self._run.run_id:
            raise self._refusal(holder)

    def _content(self) -> bytes:
        holder = Holder(
            run_id=storable(self._run.run_id),
            path=storable(str(self._run.path.resolve())),
            host=provenance.host_name(),
            pid=os.getpid(),
            created=timestamp(utc_now()),
            boot_id=boot_id(),
        )
        return json.dumps({**asdict(holder), "check": _check(holder)}, ensure_ascii=False).encode("utf-8") + b"\n"

    def _refusal(self, holder: Holder | None) -> ConfigError:
        if holder is None:
            return ConfigError(
                f"Another process holds {self._path}, so it may be writing to {self._folder}.",
                "Wait until it has ended, or name another folder.",
            )
        where = "" if holder.host == provenance.host_name() else f" on {holder.host}"
        if _has_ended(holder):
            return ConfigError(
                f"Run {holder.run_id}{where} has ended, but a process of it still holds {self._folder}.",
                f"End it with `inft-tui abort {holder.run_id}`, or name another folder.",
            )
        fix = f"Stop it with `inft-tui stop {holder.run_id}`, or name another folder"
        if where or not self._works:
            fix += f"; if it is certainly dead, delete {self._path}"
        return ConfigError(
            f"Run {holder.run_id}{where} has been writing to {self._folder} since {holder.created}.", f"{fix}."
        )


_HELD: set[OutputLocks] = set()


def _close_in_child() -> None:
    """A data worker that outlives its trainer must not keep the trainer's locks."""
    for locks in list(_HELD):
        locks.close()


os.register_at_fork(after_in_child=_close_in_child)


def _is_going_on(run: RunDirectory) -> bool:
    from inft.runs.inspect import inspect  # only where the lock itself cannot tell

    try:
        condition = inspect(run)
    except InftError:
        return (
            run.run_json.exists()
        )  # damaged, it may live; not there, it was refused, deleted, or is not seen from here
    return condition.alive


def _is_of_this_machine(holder: Holder) -> bool:
    """Whether one kernel knows the holder's locks and ours, whatever its container calls itself."""
    return holder.host == provenance.host_name() or (holder.boot_id is not None and holder.boot_id == boot_id())


def _has_ended(holder: Holder) -> bool:
    """Whether the holder's run has said its last word."""
    try:
        status = read_status(RunDirectory(Path(holder.path)).status_json)
    except OSError:
        return False
    return status is not None and status.is_final


def _check(holder: Holder) -> int:
    return zlib.crc32(repr(asdict(holder)).encode("utf-8", "surrogatepass"))
