"""What a process and its machine use of the host: memory, processors, disks.

Every figure may be None: a process that is just ending, a container that hides a file or another system than Linux must
cost nothing but the figure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from inft.machine.units import GIB

_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class HostReading:
    """One look at the host; None = could not be told.

    Attributes:
        rss_gib: memory of the process itself.
        workers_rss_gib: of its descendants together; pages that several of them share count several times.
        workers: how many descendants it has.
        cpu_percent: of the process and its descendants since the look before; 100 = one core.
        host_memory_used_gib: of the whole machine.
        host_memory_available_gib: what new programs can have without swapping.
        host_memory_total_gib: all there is.
        swap_used_gib: what was moved to disk.
        shared_memory_free_gib: left in /dev/shm, through which data workers hand over batches.
        load_1min: processes that ran or waited for a core or a disk, averaged over a minute.
        disk_free_gib: left for this user on the disk of each folder asked about.
    """

    rss_gib: float | None
    workers_rss_gib: float | None
    workers: int | None
    cpu_percent: float | None
    host_memory_used_gib: float | None
    host_memory_available_gib: float | None
    host_memory_total_gib: float | None
    swap_used_gib: float | None
    shared_memory_free_gib: float | None
    load_1min: float | None
    disk_free_gib: Mapping[str, float | None]


class HostMeter:
    """Looks at one process, its descendants and their host.

    Args:
        pid: the process.
        folders: by a name each, the folders whose disks matter; they need not exist yet.
    """

    def __init__(self, pid: int, folders: Mapping[str, Path]) -> None:
        self._pid = pid
        self._folders = dict(folders)
        self._cpu_s: dict[tuple[int, float], float] = {}
        self._looked_at: float | None = None

    def read(self, now: float) -> HostReading:
        """One look.

        Args:
            now: seconds on a clock that only moves on.
        """
        trainer, workers, cpu_s = self._look_at_processes()
        memory = psutil.virtual_memory()
        return HostReading(
            rss_gib=_gib(trainer),
            workers_rss_gib=None if workers is None else sum(workers) / GIB,
            workers=None if workers is None else len(workers),
            cpu_percent=self._cpu_percent(cpu_s, now),
            host_memory_used_gib=_gib(memory.used),
            host_memory_available_gib=_gib(memory.available),
            host_memory_total_gib=_gib(memory.total),
            swap_used_gib=_gib(_swap_used()),
            shared_memory_free_gib=_free_gib(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
            load_1min=_load(),
            disk_free_gib={name: _free_gib(folder) for name, folder in self._folders.items()},
        )

    def _look_at_processes(self) -> tuple[int | None, list[int] | None, dict[tuple[int, float], float]]:
        """Resident bytes of the process and of its descendants, and the processor time of each of them."""
        cpu_s: dict[tuple[int, float], float] = {}
        own = _resident_bytes(self._pid, cpu_s)
        if own is None:
            return None, None, {}
        workers = [_resident_bytes(pid, cpu_s) for pid in descendants(self._pid)]
        return own, [size for size in workers if size is not None], cpu_s

    def _cpu_percent(self, cpu_s: dict[tuple[int, float], float], now: float) -> float | None:
        before, self._cpu_s = self._cpu_s, cpu_s
        since, self._looked_at = self._looked_at, now
        if since is None or now <= since or not cpu_s or not before:
            return None
        # A process that was not there before has used all of its time since then.
        used = sum(max(0.0, spent - before.get(process, 0.0)) for process, spent in cpu_s.items())
        return 100 * used / (now - since)


def descendants(pid: int) -> list[int]:
    """The children of `pid`, their children and so on; those that end meanwhile may be missing."""
    own = Path(f"/proc/{pid}/task/{pid}/children")
    if not own.exists():
        return _descendants_by_search(pid)
    found: list[int] = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    """The children of every thread of `pid`, as the kernel lists them: no search through all processes of the host."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
        except OSError:
            continue
    return found


def _descendants_by_search(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _resident_bytes(pid: int, cpu_s: dict[tuple[int, float], float]) -> int | None:
    """Resident bytes of `pid`, whose processor time is added to `cpu_s`; None if it is gone."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            cpu_s[pid, process.create_time()] = times.user + times.system
            resident: int = process.memory_info().rss
    except psutil.Error:
        return None
    return resident


def _free_gib(folder: Path) -> float | None:
    for existing in (folder, *folder.parents):
        try:
            facts = os.statvfs(existing)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return facts.f_bavail * facts.f_frsize / GIB
    return None


def _swap_used() -> int | None:
    try:
        used: int = psutil.swap_memory().used
    except (psutil.Error, OSError):
        return None
    return used


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _gib(size: int | None) -> float | None:
    return None if size is None else size / GIB
