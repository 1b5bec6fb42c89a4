"""What the console costs: `python -m benchmarks.console`, which drives the real program over a pseudo-terminal 160x45.

Prints a JSON line per figure: the first useful paint over fifty runs of 1,000 lines each, what happens while nothing
happens, and how long a key press on the Runs screen takes to be drawn, at rest and while the runs are being read.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence

from benchmarks.runs_listing import STATUSES, fill
from tests.pty.terminal import Terminal

COLUMNS, ROWS = 160, 45
STARTS = 15
IDLE_S = 30.0
KEYS = 60
FILTER = "Show runs with"
FIRST_PAINT_MS, IDLE_CPU_PERCENT, KEY_MS = 450, 0.3, 50


def first_paints() -> tuple[list[float], list[float], int]:
    """Until the listing shows, in ms of wall and CPU time, after a start that warms the disk's cache; and memory."""
    wall, cpu, memory = [], [], 0
    for _ in range(STARTS + 1):
        with Terminal(columns=COLUMNS, rows=ROWS) as terminal:
            shown = terminal.wait_until(lambda screen: "finished" in screen.text, "the listing")
            wall.append((shown - terminal.started) * 1000)
            cpu.append(terminal.cpu_seconds() * 1000)
            terminal.read(0.3)
            memory = max(memory, terminal.resident_bytes())
            terminal.press("q")
            terminal.wait()
    return wall[1:], cpu[1:], memory


def idle() -> tuple[int, float]:
    """Bytes, and percent of a core, while nothing happens."""
    with Terminal(columns=COLUMNS, rows=ROWS) as terminal:
        terminal.wait_until(lambda screen: "finished" in screen.text, "the listing")
        terminal.read(2.0)
        began, used = time.monotonic(), terminal.cpu_seconds()
        received = terminal.read(IDLE_S)
        return received, (terminal.cpu_seconds() - used) / (time.monotonic() - began) * 100


def key_paints(*, at_once: bool) -> list[float]:
    """From the press to its drawing, in ms: `/` opens the filter, and Escape closes it.

    Args:
        at_once: press as soon as there is a screen, while the runs are being read.
    """
    taken: list[float] = []
    while len(taken) < KEYS:
        with Terminal(columns=COLUMNS, rows=ROWS) as terminal:
            terminal.wait_until(lambda screen: "inft" in screen.text, "the screen")
            if not at_once:
                terminal.read(1.5)
            for _ in range(1 if at_once else KEYS):
                pressed = terminal.press("/")
                taken.append((terminal.wait_for(FILTER) - pressed) * 1000)
                terminal.press("\x1b")
                terminal.wait_gone(FILTER)
    return taken


def percentile(values: Sequence[float], percent: int) -> float:
    """As `statistics` has it."""
    return statistics.quantiles(values, n=100)[percent - 1]


def say(figure: str, **values: object) -> None:
    """One line."""
    print(json.dumps({"benchmark": "console", "figure": figure, **values}), flush=True)


def main() -> None:
    """Measures all of it."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["INFT_HOME"] = home
        fill(STATUSES["finished"])
        wall, cpu, memory = first_paints()
        say(
            "first paint",
            median_ms=round(statistics.median(wall)),
            worst_ms=round(max(wall)),
            cpu_ms=round(statistics.median(cpu)),  # what other work on the machine changes less
            memory_mb=round(memory / 1e6),
            limit_ms=FIRST_PAINT_MS,
        )
        received, percent = idle()
        say("idle", bytes=received, seconds=IDLE_S, cpu_percent=round(percent, 2), limit_percent=IDLE_CPU_PERCENT)
        for name, at_once in (("key", False), ("key while loading", True)):
            taken = key_paints(at_once=at_once)
            say(
                name,
                median_ms=round(statistics.median(taken), 1),
                p95_ms=round(percentile(taken, 95), 1),
                limit_ms=KEY_MS,
            )


if __name__ == "__main__":
    main()
