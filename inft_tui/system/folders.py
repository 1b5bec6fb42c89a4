"""The folders that training reads and writes much in, the disks that they are on, and whether those are far away."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError
from inft.hub_cache import datasets_cache_dir, hub_cache_dir
from inft.machine.room import look_at_disk
from inft.project import cache_dir

_MOUNTS = Path("/proc/self/mountinfo")
_FAR = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "beegfs", "ceph", "gpfs", "afs", "glusterfs", "orangefs", "9p",
     "wekafs", "pvfs2", "panfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.ceph",
     "fuse.rclone", "fuse.juicefs"}
)  # fmt: skip
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Folder:
    """A folder that matters.

    Attributes:
        words: what is in it, in a word or two.
        path: where; it need not exist yet.
    """

    words: str
    path: Path


@dataclass(frozen=True)
class Mount:
    """What is mounted somewhere.

    Attributes:
        point: where.
        kind: of file system, as the kernel calls it.
    """

    point: str
    kind: str

    @property
    def is_far(self) -> bool:
        """Whether it is on another machine, where everything takes longer and may hang."""
        return self.kind in _FAR


@dataclass(frozen=True)
class DiskSight:
    """The disk of a folder.

    Attributes:
        free_bytes: left for this user; None = cannot be told.
        total_bytes: all there is; None = cannot be told.
        problem: why nothing can be written there; empty if something can.
    """

    free_bytes: int | None
    total_bytes: int | None
    problem: str = ""


def folders_of(root: Path, logs_dir: Path) -> list[Folder]:
    """The project's folders and the caches.

    Args:
        root: the project's root.
        logs_dir: the folder of runs.
    """
    found = [
        Folder("project", root),
        Folder("runs", logs_dir),
        Folder("hub cache", hub_cache_dir()),
        Folder("datasets cache", datasets_cache_dir()),
    ]
    with contextlib.suppress(ConfigError):  # there is no home folder
        found.append(Folder("own cache", cache_dir()))
    return [*found, Folder("temporary", Path(tempfile.gettempdir()))]


def look_at(path: Path) -> DiskSight:
    """The disk of a folder, which need not exist yet. On a network disk that is gone it takes for ever."""
    disk = look_at_disk(path)
    if disk is None:
        return DiskSight(None, None)
    return DiskSight(disk.free_bytes if disk.device >= 0 else None, _total(path), disk.problem)


def mounts() -> tuple[Mount, ...]:
    """What is mounted, which the kernel tells without asking any disk; empty on other systems than Linux."""
    try:
        return parse_mounts(_MOUNTS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ()


def parse_mounts(text: str) -> tuple[Mount, ...]:
    r"""The content of `mountinfo`.

    Source: proc_pid_mountinfo(5).

    >>> parse_mounts("36 35 98:0 / /mnt/my\\040data rw,noatime shared:1 - nfs4 host:/x rw\n")
    (Mount(point='/mnt/my data', kind='nfs4'),)
    """
    found = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if separator and len(fields) > 4 and kinds[0]:
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            found.append(Mount(point, kinds[0]))
    return tuple(found)


def mount_of(path: Path, among: Sequence[Mount]) -> Mount | None:
    """What `path` is on, as it is written: a link is not followed, since that may take for ever."""
    text = os.path.abspath(path)
    best = None
    for mount in among:
        inside_it = text == mount.point or text.startswith(f"{mount.point.rstrip('/')}/")
        # Of several at one place the last one hides the others.
        if inside_it and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def _total(path: Path) -> int | None:
    for existing in (path, *path.parents):
        try:
            facts = os.statvfs(existing)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        return facts.f_blocks * facts.f_frsize
    return None
