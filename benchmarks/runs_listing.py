"""How long `inft-tui runs` takes over fifty runs, its start included: `python -m benchmarks.runs_listing`.

Prints a JSON line per kind of run: all have 1,000 metrics lines, and either ended with a last word or were killed.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from inft.machine.processes import ProcessId
from inft.profiles import resolve, to_toml
from inft.runs import events
from inft.runs.directory import create_run
from inft.runs.status import Pids, Status, StatusFile

RUNS = 50
LINES = 1000
TIMES = 15
LIMIT_MS = 400
GONE = ProcessId(2**22 - 1, 1.0, 1)  # a number that no process has, started at a tick that none can have
STATUSES = {
    "finished": Status("finished", step=LINES, max_steps=LINES, exit_code=0),
    "killed": Status("training", Pids(GONE, GONE), step=LINES - 1, max_steps=LINES),
}


def fill(status: Status) -> None:
    """Makes the runs."""
    config = resolve("demo_aya").config
    toml = to_toml(config)
    began = datetime(2025, 3, 1, tzinfo=UTC)
    lines = b"".join(
        msgspec.json.encode(
            events.log(global_step=step, epoch=step / LINES, elapsed_sec=step * 2.0, loss=3.0, learning_rate=1e-4)
        )
        + b"\n"
        for step in range(LINES)
    )
    for number in range(RUNS):
        run = create_run(config, toml, argv=["inft-tui"], at=began + timedelta(hours=number))
        run.metrics.write_bytes(lines)
        StatusFile(run.status_json).write(status)


def measure() -> tuple[list[float], list[float]]:
    """Wall and CPU times of `TIMES` listings, in ms, after one that warms the disk's cache."""
    script = Path(sys.executable).with_name("inft-tui")
    wall, cpu = [], []
    for _ in range(TIMES + 1):
        began, used = time.perf_counter(), _cpu_of_children()
        listed = subprocess.run([script, "runs"], check=True, capture_output=True, text=True).stdout
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((_cpu_of_children() - used) * 1000)
        assert len(listed.splitlines()) == RUNS + 1
    return wall[1:], cpu[1:]


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measures both kinds."""
    for kind, status in STATUSES.items():
        with tempfile.TemporaryDirectory() as home:
            os.environ["INFT_HOME"] = home
            fill(status)
            wall, cpu = measure()
        figures = {
            "benchmark": "runs_listing",
            "runs": RUNS,
            "lines_each": LINES,
            "ended": kind,
            "median_ms": round(statistics.median(wall)),
            "worst_ms": round(max(wall)),
            "cpu_ms": round(statistics.median(cpu)),  # what other work on the machine changes less
            "limit_ms": LIMIT_MS,
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
