"""Processors and memory of this machine at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inft.machine.room import Room, look_at_room

_STAT = Path("/proc/stat")
_BUSY_STEP = 0.05
"""What wobbles by less is drawn as the same."""


@dataclass(frozen=True)
class HostSight:
    """One look.

    Attributes:
        room: what of the machine may be used from here.
        busy: share of the machine's processor time that was used since the look before, 0 to 1; None = not known.
        load: processes that ran or waited, averaged over a minute; None = not known.
    """

    room: Room
    busy: float | None = None
    load: float | None = None


class HostLooks:
    """Looks, each of which tells what the processors did since the one before."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def look(self) -> HostSight:
        """One look; takes a millisecond."""
        before, self._before = self._before, _read_stat()
        busy = busy_share(before, self._before)
        return HostSight(look_at_room(), None if busy is None else round(busy / _BUSY_STEP) * _BUSY_STEP, _load())


def parse_stat(text: str) -> tuple[int, int] | None:
    """(busy, all) processor time of the machine since it started, in the kernel's ticks.

    Source: proc_stat(5). Time that a virtual machine's guests had counts in its own as well.

    >>> parse_stat("cpu  10 0 5 80 5 0 0 0 0 0"), parse_stat("intr 1")
    ((15, 100), None)
    """
    fields = text.partition("\n")[0].split()
    if len(fields) < 6 or fields[0] != "cpu" or not all(map(str.isdigit, fields[1:])):
        return None
    times = [int(field) for field in fields[1:9]]
    return sum(times) - times[3] - times[4], sum(times)


def busy_share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """The share of the time between two looks in which processors worked, 0 to 1.

    >>> busy_share((10, 100), (60, 200)), busy_share(None, (1, 2)), busy_share((1, 2), (1, 2))
    (0.5, None, None)
    """
    if before is None or after is None or after[1] <= before[1]:
        return None
    return min(1.0, max(0.0, (after[0] - before[0]) / (after[1] - before[1])))


def _read_stat() -> tuple[int, int] | None:
    try:
        return parse_stat(_STAT.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None


def _load() -> float | None:
    try:
        return float(Path("/proc/loadavg").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
