"""What the console's reading costs: `python -m benchmarks.feeds`.

Prints a JSON line per figure: a long run read as a whole, a run that goes on, a log of a gigabyte, a filter over a
million lines, and the list of fifty runs. Every measurement is a process of its own, so that its
memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from benchmarks.jsonl import typical_lines
from benchmarks.runs_listing import STATUSES, fill
from inft.runs.directory import RunDirectory
from inft_tui.feeds.run_feed import RunFeed
from inft_tui.listing import Listing
from inft_tui.logs.errors import ErrorLines
from inft_tui.logs.filter import Filter
from inft_tui.logs.line_index import LogFile
from inft_tui.logs.patterns import matcher
from inft_tui.logs.search import Search

Figures: TypeAlias = dict[str, float]

SCREEN = 45
BUDGET_S = 0.008
FOREVER_S = 1e9
GIB = 1 << 30


def write_run(folder: Path, steps: int) -> None:
    """A run's metrics: `steps` log lines with ten curves and two axes."""
    folder.mkdir(parents=True, exist_ok=True)
    RunDirectory(folder).metrics.write_bytes(b"".join(typical_lines(steps)))


def write_log(path: Path, lines: int) -> None:
    """A console log with a progress bar, a warning now and then, and an error near its middle."""
    block = b"".join(
        b"2025-03-01 12:%02d:%02d | rank 0 | batch %06d of the epoch was read in 0.0%d s\n"
        % (number // 60 % 60, number % 60, number, number % 10)
        for number in range(1000)
    )
    blocks = max(1, lines // 1000)
    with path.open("wb") as file:
        for place in range(blocks):
            file.write(block)
            if place == blocks // 2:
                file.write(b"Traceback (most recent call last):\nValueError: the one and only needle\n")


def load_run(folder: Path, budget_s: float = BUDGET_S) -> Figures:
    """Reads a run in slices, as the console does."""
    feed = RunFeed(RunDirectory(folder))
    slices: list[float] = []
    began, used = time.perf_counter(), time.process_time()
    done = False
    while not done:
        at = time.perf_counter()
        done = feed.read(budget_s).done
        slices.append((time.perf_counter() - at) * 1000)
    feed.facts.lines  # noqa: B018  # what a screen asks for
    return {
        "points": sum(len(series) for series in feed.series.values()),
        "wall_s": round(time.perf_counter() - began, 3),
        "cpu_s": round(time.process_time() - used, 3),
        "median_slice_ms": round(statistics.median(slices), 1),
        "worst_slice_ms": round(max(slices), 1),
        "rss_mb": _rss_mb(),
    }


def follow_run(folder: Path, seconds: float = 10.0, per_second: int = 10, looks_per_second: int = 2) -> Figures:
    """A run of ten curves that does ten steps a second, looked at twice a second."""
    write_run(folder, 10_000)
    run = RunDirectory(folder)
    lines = typical_lines(10_000 + int(seconds * per_second))[10_000:]
    feed = RunFeed(run)
    while not feed.read(1.0).done:
        pass
    spent = 0.0
    each = per_second // looks_per_second
    for look in range(int(seconds * looks_per_second)):
        with run.metrics.open("ab") as file:
            file.write(b"".join(lines[look * each : (look + 1) * each]))
        time.sleep(1 / looks_per_second)
        used = time.process_time()
        feed.read(BUDGET_S)
        feed.facts.lines  # noqa: B018
        spent += time.process_time() - used
    return {"cpu_ms_per_s": round(spent / seconds * 1000, 2)}


def open_log(path: Path) -> Figures:
    """Opens a log, shows its end, then counts its lines in slices."""
    before = _rss_mb()
    began = time.perf_counter()
    log = LogFile(path)
    log.refresh()
    rows = log.last(SCREEN)
    shown = time.perf_counter() - began
    slices: list[float] = []
    while True:
        at = time.perf_counter()
        counted = log.index(BUDGET_S)
        slices.append((time.perf_counter() - at) * 1000)
        if counted:
            break
    counted_at = time.perf_counter() - began
    middle = time.perf_counter()
    log.lines(log.line_count() // 2, SCREEN)
    jumped = time.perf_counter() - middle
    return {
        "size_mb": round(path.stat().st_size / 1e6),
        "last_screen_ms": round(shown * 1000, 2),
        "rows": len(rows),
        "counted_s": round(counted_at, 3),
        "lines": log.line_count(),
        "jump_ms": round(jumped * 1000, 2),
        "worst_slice_ms": round(max(slices), 1),
        "added_mb": round(_rss_mb() - before, 1),
        "rss_mb": _rss_mb(),
    }


def filter_log(path: Path, typed: str, *, regex: bool) -> Figures:
    """Filters a log from its end: until a screen is full, and until all is found."""
    log = LogFile(path)
    log.refresh()
    began = time.perf_counter()
    found = Filter(log, matcher(typed, regex=regex))
    full = 0.0
    slices: list[float] = []
    while not found.is_done:
        at = time.perf_counter()
        found.advance(BUDGET_S)
        if not full and len(found) >= SCREEN:
            found.last(SCREEN)
            full = time.perf_counter() - began
        slices.append((time.perf_counter() - at) * 1000)
    return {
        "found": len(found),
        "first_screen_ms": round(full * 1000, 1),
        "all_s": round(time.perf_counter() - began, 3),
        "worst_slice_ms": round(max(slices), 1),
        "rss_mb": _rss_mb(),
    }


def find_error(path: Path) -> Figures:
    """Looks from a log's end for the error near its middle."""
    log = LogFile(path)
    log.refresh()
    began = time.perf_counter()
    search = Search(log, ErrorLines(), log.size, forward=False)
    while not search.advance(BUDGET_S):
        pass
    assert search.found is not None
    return {"found_s": round(time.perf_counter() - began, 3)}


def follow_log(path: Path, seconds: float = 5.0) -> Figures:
    """A log that grows by 1,000 lines a second, its last screen looked at four times a second."""
    path.write_bytes(b"")
    log = LogFile(path)
    spent = 0.0
    number = 0
    for _ in range(int(seconds * 4)):
        with path.open("ab") as file:
            for _ in range(250):
                number += 1
                file.write(b"line %08d of a training that says more than it should to anybody\n" % number)
        time.sleep(0.25)
        used = time.process_time()
        log.refresh()
        log.index(BUDGET_S)
        log.last(SCREEN)
        spent += time.process_time() - used
    return {"cpu_ms_per_s": round(spent / seconds * 1000, 2)}


def list_runs(logs_dir: Path, looks: int = 20) -> Figures:
    """The list of all runs: at first, when nothing has changed, and after one of them went on."""
    began = time.perf_counter()
    listing = Listing(logs_dir)
    snapshot = listing.read(FOREVER_S)
    first = time.perf_counter() - began
    unchanged = statistics.median(_timed(lambda: listing.read(FOREVER_S)) for _ in range(looks))
    with snapshot.runs[0].run.metrics.open("ab") as file:
        file.write(typical_lines(1)[0])
    return {
        "runs": len(snapshot.runs),
        "first_ms": round(first * 1000, 1),
        "unchanged_ms": round(unchanged * 1000, 2),
        "one_changed_ms": round(_timed(lambda: listing.read(FOREVER_S)) * 1000, 2),
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rss_mb() -> float:
    """Most memory that this program has had; `getrusage` counts in what its parent had when it started it."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(peak.split()[1]) * 1024 / 1e6, 1)


def _measured(name: str, *arguments: str) -> Figures:
    """One measurement, by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.feeds", "--only", name, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout)
    return figures


ONLY: dict[str, Callable[[Path], Figures]] = {
    "load_100k_x_10": load_run,
    "live_10_steps_a_second": follow_run,
    "open_1_gb_log": open_log,
    "filter_text_1m_lines": lambda path: filter_log(path, "batch 0005", regex=False),
    "filter_rare_text_1m_lines": lambda path: filter_log(path, "only needle", regex=False),
    "filter_regex_1m_lines": lambda path: filter_log(path, r"batch 0+5\d\d of", regex=True),
    "previous_error_1m_lines": find_error,
    "follow_1000_lines_a_second": follow_log,
    "list_50_runs": list_runs,
}
LIMITS: dict[str, Figures] = {
    "load_100k_x_10": {"wall_s": 1.0, "rss_mb": 80},
    "open_1_gb_log": {"last_screen_ms": 500, "rss_mb": 80},
    "list_50_runs": {"first_ms": 150, "unchanged_ms": 5},
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the console's reading costs.")
    parser.add_argument("--only", choices=sorted(ONLY), help="measure this one, over PATH")
    parser.add_argument("path", nargs="?", type=Path)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(ONLY[arguments.only](arguments.path)))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["INFT_HOME"] = folder
        fill(STATUSES["finished"])
        write_run(home / "long", 100_000)
        write_log(home / "million.log", 1_000_000)
        with (home / "gigabyte.log").open("wb") as file:
            # Nothing but its last megabytes takes room on the disk; what is read is a gigabyte all the same.
            file.truncate(GIB - (8 << 20))
            file.seek(0, os.SEEK_END)
            file.write(b"the same line again and again, as long as lines usually are in a log\n" * (8 << 20 >> 6))
        places = {
            "load_100k_x_10": home / "long",
            "live_10_steps_a_second": home / "live",
            "open_1_gb_log": home / "gigabyte.log",
            "follow_1000_lines_a_second": home / "growing.log",
            "list_50_runs": home / "logs",
        }
        for name in ONLY:
            figures = _measured(name, str(places.get(name, home / "million.log")))
            print(json.dumps({"benchmark": name, **figures, "limits": LIMITS.get(name, {})}), flush=True)


if __name__ == "__main__":
    main()
