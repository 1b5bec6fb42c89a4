"""Whether the kernel has killed processes for want of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# The memory of a process that is killed for it takes a while to be given back: seconds for a host full of it. Only then
# does its parent hear of the end.
_KILL_TAKES_S = 60.0


def oom_kills(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How many processes the kernel has killed so far for want of memory; None if it does not tell.

    Of this process's own control group where there is one, so that a neighbour's death does not count; of the whole
    machine otherwise.

    Args:
        proc: where the kernel shows processes.
        cgroups: where it shows control groups.
    """
    for path in (*_memory_events(proc, cgroups), proc / "vmstat"):
        try:
            lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, number = line.partition(" ")
            if name == "oom_kill" and number.strip().isdigit():
                return int(number)
    return None


class OomWatch:
    """Remembers when the count of `oom_kills` last rose, since the count itself has no date."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._rose_at: float | None = None

    def look(self, now: float, count: int | None) -> None:
        """Takes note of the count at `now`, in seconds on a clock that only moves on."""
        if count is None:
            return
        if self._count is not None and count > self._count:
            self._rose_at = now
        self._count = count

    def struck(self, now: float) -> bool:
        """Whether a process that ended at `now` may be one of those killed."""
        return self._rose_at is not None and now - self._rose_at <= _KILL_TAKES_S


def _memory_events(proc: Path, cgroups: Path) -> Iterator[Path]:
    """Where the count of this process's control group may stand: version 2, then 1; as seen from the host or inside."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        inner = path.lstrip("/")
        if number == "0":
            yield cgroups / inner / "memory.events"
            yield cgroups / "memory.events"
        elif "memory" in controllers.split(","):
            yield cgroups / "memory" / inner / "memory.oom_control"
            yield cgroups / "memory" / "memory.oom_control"
