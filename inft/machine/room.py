"""What of the host a new program may use: its control group's share, where that is less than the machine.

A figure is None where a container hides it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Room:
    """One look.

    Attributes:
        cores: processors that this process may run on at a time; a quota makes it a fraction.
        cores_of_machine: all there are.
        memory_total_bytes: the most that it may use, whoever has it now.
        memory_available_bytes: what it could have without swapping.
        memory_limited: whether a control group allows less than the machine has.
        shared_free_bytes: left in /dev/shm, through which data workers hand over batches; None = there is none.
        shared_total_bytes: its size.
    """

    cores: float
    cores_of_machine: int | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    memory_limited: bool = False
    shared_free_bytes: int | None = None
    shared_total_bytes: int | None = None


@dataclass(frozen=True)
class Disk:
    """The disk that a folder is on, or would be.

    Attributes:
        device: which one; two folders with the same number share it.
        free_bytes: left for this user.
        free_files: how many files more it takes; None = it has no such limit.
        problem: why nothing can be written there, in words; empty if something can.
    """

    device: int
    free_bytes: int
    free_files: int | None = None
    problem: str = ""


def look_at_room(
    proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup"), shared: Path = _SHARED_MEMORY
) -> Room:
    """One look at processors and memory.

    Args:
        proc: where the kernel shows processes.
        cgroups: where it shows control groups.
        shared: the shared memory.
    """
    memory = psutil.virtual_memory()
    limits = list(_memory_limits(proc, cgroups))
    total = min([memory.total, *(limit for limit, _ in limits)])
    available = min([memory.available, *(max(0, limit - used) for limit, used in limits)])
    shared_free, shared_total = _size_of(shared)
    return Room(
        cores=min([float(len(os.sched_getaffinity(0))), *_cpu_quotas(proc, cgroups)]),
        cores_of_machine=os.cpu_count(),
        memory_total_bytes=total,
        memory_available_bytes=available,
        memory_limited=total < memory.total,
        shared_free_bytes=shared_free,
        shared_total_bytes=shared_total,
    )


def look_at_disk(folder: Path) -> Disk | None:
    """The disk of `folder`, which need not exist yet; None if it cannot be told."""
    for existing in (folder, *folder.parents):
        try:
            facts, status = os.statvfs(existing), os.stat(existing)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return Disk(-1, 0, problem=f"{existing}: {(error.strerror or str(error)).lower()}")
        problem = ""
        if not existing.is_dir():
            problem = f"{existing} is no folder"
        elif not facts.f_blocks and status.st_dev in _kernels_own():
            problem = f"{existing} belongs to the kernel, and no folder can be made there"
        elif facts.f_flag & os.ST_RDONLY:
            problem = f"{existing} is on a read-only disk"
        elif not os.access(existing, os.W_OK | os.X_OK):
            problem = f"{existing} may not be written to by this user"
        files = facts.f_favail if facts.f_files else None  # some file systems make room for files as they come
        return Disk(status.st_dev, facts.f_bavail * facts.f_frsize, files, problem)
    return None


def _kernels_own() -> set[int]:
    """Devices whose files the kernel makes up, which let a superuser write anything and keep none of it."""
    found = set()
    for folder in ("/proc", "/sys"):
        with contextlib.suppress(OSError):
            found.add(os.stat(folder).st_dev)
    return found


def _size_of(folder: Path) -> tuple[int | None, int | None]:
    try:
        facts = os.statvfs(folder)
    except OSError:
        return None, None
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize


def _memory_limits(proc: Path, cgroups: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) in bytes of every control group around this process that has a limit.

    What a group has of the disks' content in memory counts as used there, and is given back when it is needed.
    """
    for folder, version in _groups(proc, cgroups, "memory"):
        names = (
            ("memory.max", "memory.current", "inactive_file")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        )
        limit, used = _number(folder / names[0]), _number(folder / names[1])
        if limit is None or limit >= 1 << 60:  # version 1 writes "no limit" as a number near 2**63
            continue
        cached = _entry(folder / "memory.stat", names[2])
        yield limit, max(0, (used or 0) - (cached or 0))


def _cpu_quotas(proc: Path, cgroups: Path) -> Iterator[float]:
    """Processors that each control group around this process grants, where it sets a bound."""
    for folder, version in _groups(proc, cgroups, "cpu"):
        if version == 2:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _groups(proc: Path, cgroups: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """The folder of this process's control group and of those around it, and the version of its format.

    From inside a container its own group is the root of what can be seen, under a path that may name the host's.
    """
    for line in _read(proc / "self" / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        inner = Path(path.lstrip("/"))
        around = [part for part in (inner, *inner.parents) if ".." not in part.parts]
        if number == "0":
            yield from ((cgroups / part, 2) for part in around)
        elif controller in controllers.split(","):
            yield from ((cgroups / controller / part, 1) for part in around)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text.isdigit() else None


def _entry(path: Path, name: str) -> int | None:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return None
