"""Small disks that fill up or become read-only under a run."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from pathlib import Path

from benchmarks.fault_campaign.kernel import mount_disk, own_mounts

SIZE_BYTES = 600 << 10
"""A run of the stand-in needs half of it."""

ROOMY_BYTES = 64 << 20
FILLER = "filler"


class Disks:
    """Small disks of this process's own, which nobody else sees.

    Args:
        folders: where they are.
    """

    def __init__(self, folders: Collection[Path]) -> None:
        self._folders = tuple(folders)
        if folders:
            own_mounts()
        for folder in folders:
            mount_disk(folder, SIZE_BYTES)

    def restore(self) -> None:
        """Gives them room again and lets them be written."""
        for folder in self._folders:
            mount_disk(folder, ROOMY_BYTES, again=True)
            (folder / FILLER).unlink(missing_ok=True)


def fill(folder: Path) -> None:
    """Takes all the room that is left on a disk."""
    block = os.urandom(4096)
    with (folder / FILLER).open("ab", buffering=0) as file:
        while True:
            try:
                file.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return


def protect(folder: Path) -> None:
    """Makes a disk read-only, at the first moment at which no file on it is open for writing."""
    while True:
        try:
            return mount_disk(folder, SIZE_BYTES, again=True, read_only=True)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
