"""What the console costs: `python -m benchmarks.console [FIGURE ...]`, over a pseudo-terminal 160x45.

It drives the real program and prints a JSON line per figure, each with its limits. What is measured in CPU time changes
less than wall time when the machine has other work; limits are those of two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.feeds import GIB
from benchmarks.jsonl import typical_lines
from benchmarks.runs_listing import STATUSES, fill
from inft.machine.processes import process_of
from inft.profiles import resolve, to_toml
from inft.runs.directory import RunDirectory, create_run
from inft.runs.status import Pids, Status, StatusFile
from tests.pty.terminal import Terminal

COLUMNS, ROWS = 160, 45
STARTS = 15
LONG_STARTS = 7
IDLE_S = 30.0
LIVE_S = 20.0
FOLLOW_S = 10.0
KEYS = 60
STEPS = 100_000
LIVE_STEPS, LIVE_PER_S = 10_000, 10
LOG_LINES_PER_S = 1000
FILTER = "Show runs with"
OVER_SSH = {"SSH_TTY": "/dev/pts/0"}
DRAWN = "┤"
"""Of an axis: a chart is there."""


def first_paint() -> None:
    """Until fifty runs of 1,000 lines each are listed."""
    wall, cpu, memory = [], [], 0
    with home() as _:
        fill(STATUSES["finished"])
        for _ in range(STARTS + 1):
            with opened() as terminal:
                shown = terminal.wait_until(lambda screen: "finished" in screen.text, "the listing")
                wall.append((shown - terminal.started) * 1000)
                cpu.append(terminal.cpu_seconds() * 1000)
                terminal.read(0.3)
                memory = max(memory, terminal.resident_bytes())
    say(
        "first paint",
        {"median_ms": 450},
        median_ms=statistics.median(wall[1:]),  # the first start warms the disk's cache
        worst_ms=max(wall[1:]),
        cpu_ms=statistics.median(cpu[1:]),
        memory_mb=memory / 1e6,
    )


def long_run() -> None:
    """A finished run of 100,000 steps with ten curves: until there are charts, and until all of it is drawn."""
    first, loaded, cpu, memory, quiet = [], [], [], 0, 0
    with home() as _:
        make_run(STEPS, Status("finished", step=STEPS, max_steps=STEPS, exit_code=0))
        for _ in range(LONG_STARTS + 1):
            with opened("attach", "latest") as terminal:
                first.append(terminal.wait_for(DRAWN) - terminal.started)
                terminal.wait_gone("reading …", 60)
                terminal.read(0.5)
                loaded.append(terminal.chunks[-1][0] - terminal.started)
                cpu.append(terminal.cpu_seconds())
                memory = max(memory, terminal.resident_bytes())
                quiet += terminal.read(1.0)
    say(
        "100,000 steps x 10 metrics",
        {"first_paint_s": 0.5, "loaded_s": 1.2, "memory_mb": 80, "bytes_afterwards": 0},
        first_paint_s=statistics.median(first[1:]),
        loaded_s=statistics.median(loaded[1:]),
        cpu_s=statistics.median(cpu[1:]),
        memory_mb=memory / 1e6,
        bytes_afterwards=quiet,
    )


def live_run() -> None:
    """A run of ten curves that does ten steps a second, watched over SSH."""
    with home() as _:
        run = make_run(LIVE_STEPS, Status("training", step=LIVE_STEPS, max_steps=2 * LIVE_STEPS))
        lines = typical_lines(LIVE_STEPS + int((LIVE_S + 30) * LIVE_PER_S))[LIVE_STEPS:]
        with opened("attach", "latest", over_ssh=True) as terminal:
            terminal.wait_gone("reading …", 60)
            terminal.read(2.0)
            with appending(run.metrics, lines, 1, 1 / LIVE_PER_S):
                terminal.read(2.0)
                used = usage(terminal, LIVE_S)
    say("10 steps/s x 10 charts", {"cpu_percent": 3, "kb_per_s": 5, "memory_mb": 60}, **used)


def idle() -> None:
    """Nothing happens: to the listing, and to a run that lives and says nothing."""
    with home() as _:
        fill(STATUSES["finished"])
        with opened() as terminal:
            terminal.wait_for("finished")
            terminal.read(2.0)
            listing = usage(terminal, IDLE_S)
        make_run(1000, Status("training", step=1000, max_steps=2000))
        with opened("attach", "latest") as terminal:
            terminal.wait_for(DRAWN)
            terminal.read(3.0)
            monitor = usage(terminal, IDLE_S)
    limits = {"cpu_percent": 0.3, "kb_per_s": 0}
    say("idle, runs", limits, **listing)
    say("idle, a run", limits, **monitor)


def keys() -> None:
    """From the press to its drawing: on the listing, and while a long run is read."""
    with home() as _:
        fill(STATUSES["finished"])
        at_rest, while_listing = filter_presses(at_once=False), filter_presses(at_once=True)
        make_run(STEPS, Status("finished", step=STEPS, max_steps=STEPS, exit_code=0))
        while_reading = panel_presses()
    for name, taken in (
        ("key", at_rest),
        ("key while runs are listed", while_listing),
        ("key while 100,000 steps are read", while_reading),
    ):
        p95 = statistics.quantiles(taken, n=100)[94]
        say(name, {"p95_ms": 50}, median_ms=statistics.median(taken), p95_ms=p95, presses=len(taken))


def filter_presses(*, at_once: bool) -> list[float]:
    """In ms: `/` opens the filter, and Escape closes it.

    Args:
        at_once: press as soon as there is a screen, while the runs are being read.
    """
    taken: list[float] = []
    while len(taken) < KEYS:
        with opened() as terminal:
            terminal.wait_for("inft")
            if not at_once:
                terminal.read(1.5)
            for _ in range(1 if at_once else KEYS):
                pressed = terminal.press("/")
                taken.append((terminal.wait_for(FILTER) - pressed) * 1000)
                terminal.press("\x1b")
                terminal.wait_gone(FILTER)
    return taken


def panel_presses() -> list[float]:
    """In ms: `p` shows another panel below the charts, as often as can be until all is read."""
    taken: list[float] = []
    while len(taken) < KEYS:
        with opened("attach", "latest") as terminal:
            terminal.wait_for(DRAWN)
            panels = ("── captions ", "── alerts ", "── log ")
            for number in range(KEYS):
                if "reading …" not in terminal.screen.text:
                    break
                pressed = terminal.press("p")
                taken.append((terminal.wait_for(panels[number % 3]) - pressed) * 1000)
    return taken


def million() -> None:
    """A curve of a million points: what it takes beyond its raw values, and how long a whole redraw takes."""
    command = [sys.executable, "-m", "benchmarks.charts"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    say("1,000,000 points", {"beyond_raw_kib": 64, "redraw_ms": 10}, **found)


def following_log() -> None:
    """A console log that grows by 1,000 lines a second."""
    line = b"%06d the trainer says something of the usual length, with a figure or two: 0.123, 4.567\n"
    lines = [line % number for number in range(int((FOLLOW_S + 30) * LOG_LINES_PER_S))]
    with home() as _:
        run = make_run(100, Status("training", step=100, max_steps=200))
        run.console_log.write_bytes(b"".join(lines[:1000]))
        with opened("attach", "latest") as terminal:
            terminal.wait_for(DRAWN)
            terminal.press("5")
            terminal.wait_for("000999 the trainer")
            with appending(run.console_log, lines[1000:], LOG_LINES_PER_S // 20, 1 / 20):
                terminal.read(2.0)
                used = usage(terminal, FOLLOW_S)
    say("log following 1,000 lines/s", {"cpu_percent": 10, "kb_per_s": 30}, **used)


def gigabyte_log() -> None:
    """From the key to the last screen of a log of 1 GB."""
    taken: list[float] = []
    memory = 0
    last = b"the last line of a gigabyte\n"
    with home() as _:
        run = make_run(100, Status("finished", step=100, max_steps=100, exit_code=0))
        with run.console_log.open("wb") as file:
            line = b"the same line again and again, as long as lines usually are in a log of training\n"
            block = line * (1 << 20 >> 6)
            while file.tell() < GIB:
                file.write(block)
            file.write(last)
        for _ in range(LONG_STARTS):
            with opened("attach", "latest") as terminal:
                terminal.wait_for(DRAWN)
                terminal.read(0.5)
                pressed = terminal.press("5")
                taken.append(terminal.wait_for(last.decode().strip()) - pressed)
                terminal.read(3.0)
                memory = max(memory, terminal.resident_bytes())
    say(
        "a log of 1 GB",
        {"shown_s": 0.5, "memory_mb": 80},
        shown_s=statistics.median(taken),
        worst_s=max(taken),
        memory_mb=memory / 1e6,
    )


def launch() -> None:
    """From the program's start to the Launch screen with all parameters."""
    taken = []
    with home() as _:
        for _ in range(LONG_STARTS + 1):
            with opened() as terminal:
                terminal.press("1a")
                shown = terminal.wait_for("qlora.load_in_4bit")  # none of the ten that come first
                taken.append(shown - terminal.started)
    say("Launch with all parameters", {"median_s": 0.6}, median_s=statistics.median(taken[1:]), worst_s=max(taken[1:]))


@contextmanager
def home() -> Iterator[Path]:
    """A project of its own, with no runs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INFT_HOME"] = folder
        yield Path(folder)


@contextmanager
def opened(*arguments: str, over_ssh: bool = False) -> Iterator[Terminal]:
    """The console, which is left at the end."""
    with Terminal(*arguments, columns=COLUMNS, rows=ROWS, env=dict(OVER_SSH) if over_ssh else None) as terminal:
        yield terminal
        terminal.press("q")
        terminal.wait()


def make_run(steps: int, status: Status) -> RunDirectory:
    """A run with `steps` log lines of ten curves; if it is to live, it does so in this process."""
    config = resolve("demo_aya").config
    run = create_run(config, to_toml(config), argv=["inft-tui"], at=datetime(2025, 3, 9, tzinfo=UTC))
    begin = {"event": "train_begin", "global_step": 0, "max_steps": status.max_steps}
    run.metrics.write_bytes(json.dumps(begin).encode() + b"\n" + b"".join(typical_lines(steps)))
    pids = Pids(None, process_of(os.getpid())) if status.state == "training" else status.pids
    StatusFile(run.status_json).write(
        Status(status.state, pids, step=status.step, max_steps=status.max_steps, exit_code=status.exit_code)
    )
    return run


@contextmanager
def appending(path: Path, lines: Sequence[bytes], at_once: int, pause_s: float) -> Iterator[None]:
    """Has lines appended to a file, `at_once` of them every `pause_s` seconds."""
    over = threading.Event()

    def append() -> None:
        due = time.monotonic()
        with path.open("ab", buffering=0) as file:
            for start in range(0, len(lines), at_once):
                file.write(b"".join(lines[start : start + at_once]))
                due += pause_s
                if over.wait(max(0.0, due - time.monotonic())):
                    return

    writer = threading.Thread(target=append)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def usage(terminal: Terminal, seconds: float) -> dict[str, float]:
    """What the program takes in that time."""
    began, used = time.monotonic(), terminal.cpu_seconds()
    received = terminal.read(seconds)
    passed = time.monotonic() - began
    return {
        "cpu_percent": (terminal.cpu_seconds() - used) / passed * 100,
        "kb_per_s": received / passed / 1000,
        "memory_mb": terminal.resident_bytes() / 1e6,
    }


def say(figure: str, limits: dict[str, float], **values: float) -> None:
    """One line."""
    rounded = {name: round(value, 3) for name, value in values.items()}
    kept = all(values[name] <= limit for name, limit in limits.items())
    line = {"benchmark": "console", "figure": figure, **rounded, "limits": limits, "kept": kept}
    print(json.dumps(line), flush=True)


FIGURES: dict[str, Callable[[], None]] = {
    "first-paint": first_paint,
    "long-run": long_run,
    "live-run": live_run,
    "idle": idle,
    "million": million,
    "following-log": following_log,
    "gigabyte-log": gigabyte_log,
    "keys": keys,
    "launch": launch,
}


def main() -> None:
    """Measures what was asked for, or all of it."""
    parser = argparse.ArgumentParser(description="What the console costs.")
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="these only")
    for name in parser.parse_args().figures or FIGURES:
        FIGURES[name]()


if __name__ == "__main__":
    main()
