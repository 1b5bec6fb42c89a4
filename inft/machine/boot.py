"""This boot of this machine: its name, and a clock that nobody can set."""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """A name that the kernel draws anew at every boot; None where it has none (other systems than Linux)."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def uptime() -> float:
    """Seconds since the machine booted, time asleep left out.

    Unlike the time of day it only ever moves on, and all processes of one boot read the same. Without the time asleep,
    a run on a laptop that wakes up has not been silent for all the night.
    """
    return time.monotonic()
