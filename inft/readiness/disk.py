"""The disks that a run writes to, against what it will write there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.machine.room import Disk
from inft.readiness.check import Check, amber, green, listed, red
from inft.runs.quantities import size

NAME = "disk"

LOGS_BYTES = 256 << 10
"""A run's records and its log until it has shown that it trains."""

_LEAST_LEFT_BYTES = 1 << 30
"""A disk on which less than this would be left deserves a look: logs and samples grow with the run."""

_LEAST_FILES = 1000


@dataclass(frozen=True)
class Destination:
    """A folder that a run writes to.

    Attributes:
        words: what goes there, for a sentence.
        folder: where; it need not exist.
        need_bytes: how much goes there at the most; None = not known.
        unknown: what else goes there, of a size that nobody here knows; empty = nothing.
        vital: whether a run ends if it cannot be written; without a cache, things are only made again.
    """

    words: str
    folder: Path
    need_bytes: int | None
    unknown: str = ""
    vital: bool = True


def judge_disks(destinations: Sequence[Destination], disks: Mapping[Path, Disk | None]) -> Check:
    """Whether what the run writes has room; several folders on one disk add up.

    Args:
        destinations: what goes where.
        disks: of each folder.
    """
    tight: list[Check] = []
    for destination in destinations:
        disk = disks[destination.folder]
        if disk is None or not disk.problem:
            continue
        words = f"The {destination.words} cannot be written: {disk.problem}"
        if destination.vital:
            return red(NAME, f"{words}.", "Mend that, or name another folder in the profile.")
        tight.append(amber(NAME, f"{words}, so that its content is made again each time.", "Mend that when you can."))
    destinations = [one for one in destinations if (disk := disks[one.folder]) is None or not disk.problem]
    told: list[str] = []
    for disk, sharing in _by_disk(destinations, disks):
        need = sum(destination.need_bytes or 0 for destination in sharing if destination.vital)
        unknown = list(dict.fromkeys(destination.unknown for destination in sharing if destination.unknown))
        words = f"{size(disk.free_bytes)} free for {_parts(sharing, need)}"
        place = sharing[0].folder
        fix = f"Free space on the disk of {place}, or name folders on another one."
        if disk.free_files is not None and disk.free_files < _LEAST_FILES:
            return red(NAME, f"The disk of {place} takes only {disk.free_files} files more.", "Delete files there.")
        if disk.free_bytes < need:
            return red(NAME, f"Only {words}.", fix)
        if unknown:
            words += f", and for {listed(unknown)}, whose size only the hub knows"
        if disk.free_bytes - need < _LEAST_LEFT_BYTES:
            tight.append(amber(NAME, f"{words}, so that little is left.", fix))
        elif unknown:
            tight.append(amber(NAME, f"{words}.", f"See that the disk of {place} has room for that, too."))
        told.append(words)
    if tight:
        return tight[0]
    return green(NAME, f"{'; '.join(told)}." if told else "The disks do not say how much is free.")


def _parts(sharing: Sequence[Destination], need: int) -> str:
    """What goes to one disk, each with its size where that is known, and all of it together."""
    parts = [
        one.words if one.need_bytes is None else f"{one.words} ({size(one.need_bytes)})"
        for one in sharing
        if one.need_bytes != 0
    ]
    known = [one for one in sharing if one.need_bytes]
    if len(known) < 2:
        return listed(parts)
    return f"{size(need)} at the most: {listed(parts)}"


def _by_disk(
    destinations: Sequence[Destination], disks: Mapping[Path, Disk | None]
) -> list[tuple[Disk, list[Destination]]]:
    found: dict[int, tuple[Disk, list[Destination]]] = {}
    for destination in destinations:
        disk = disks[destination.folder]
        if disk is not None:
            found.setdefault(disk.device, (disk, []))[1].append(destination)
    return list(found.values())
