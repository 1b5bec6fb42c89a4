"""Calls to Linux that Python's `os` does not have: mounts of one's own, and orphans that come to their grandparent."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_RDONLY, _MS_REMOUNT = 1, 32
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on, orphaned descendants become children of this process."""
    _check(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def own_mounts() -> None:
    """From now on, nobody else sees what this process and its children mount.

    Raises:
        OSError: the system does not allow that.
    """
    uid, gid = os.getuid(), os.getgid()
    _check(_LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def mounting_is_allowed() -> bool:
    """Whether disks can be made at all."""
    pid = os.fork()
    if pid == 0:
        try:
            own_mounts()
            mount_disk(Path("/proc"), 4096)  # in this process's own view alone
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def mount_disk(folder: Path, size: int, *, again: bool = False, read_only: bool = False) -> None:
    """Puts an empty disk of `size` bytes at `folder`, or changes the one that is there.

    Raises:
        OSError: the system does not allow that, or files on it are open for writing.
    """
    flags = (_MS_REMOUNT if again else 0) | (_MS_RDONLY if read_only else 0)
    _check(_LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, b"size=%d" % size))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
