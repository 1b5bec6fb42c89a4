"""What the supervisor costs beside a trainer that sleeps: `python -m benchmarks.supervisor`.

Prints a JSON line: its resident memory and what of it is its own, in MiB; its share of a core over 30 s, its samples of
the hardware included; how long its start took; and how many GPUs it sampled, since with the first one comes the memory
of NVIDIA's library.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil

from inft.profiles import resolve, to_toml
from inft.runs.directory import RunDirectory, create_run
from inft.runs.handover import SUPERVISED, take_over
from inft.runs.jsonl import JsonlReader
from inft.runs.launch import start_supervisor
from inft.runs.status import Status, StatusFile

SECONDS = 30.0
SETTLING_S = 3.0
LIMIT_MIB = 40
LIMIT_CORE_PERCENT = 1.0

PROFILE = """\
family = "aya"
mode = "basic"
description = "For the benchmark"
"""


def sleep_as_trainer(run: RunDirectory) -> None:
    """The trainer beside which the supervisor is measured; a signal ends it."""
    pids = take_over(run)
    StatusFile(run.status_json).write(Status("training", pids))
    signal.pause()


def make_run(root: Path) -> RunDirectory:
    (root / "profiles").mkdir()
    (root / "profiles" / "small.toml").write_text(PROFILE, encoding="utf-8")
    os.environ["INFT_HOME"] = str(root)
    config = resolve("small").config
    return create_run(config, to_toml(config), argv=["benchmark"])


def measure(run: RunDirectory) -> dict[str, object]:
    began = time.perf_counter()
    supervisor = start_supervisor(run, module="benchmarks.supervisor")
    while not run.hardware.exists():
        time.sleep(0.005)
    started_s = time.perf_counter() - began
    try:
        watched = psutil.Process(supervisor.pid)
        time.sleep(SETTLING_S)
        before = watched.cpu_times()
        time.sleep(SECONDS)
        after = watched.cpu_times()
        memory = watched.memory_full_info()
    finally:
        supervisor.terminate()
        supervisor.wait()
    with JsonlReader(run.hardware) as reader:
        gpus = reader.read().lines[-1].record["gpus"]
    spent_s = after.user + after.system - before.user - before.system
    return {
        "benchmark": "supervisor",
        "rss_mib": round(memory.rss / 2**20, 1),
        "own_mib": round(memory.uss / 2**20, 1),
        "core_percent": round(100 * max(0.0, spent_s) / SECONDS, 2),
        "start_ms": round(started_s * 1000),
        "gpus": len(gpus) if isinstance(gpus, list) else 0,
        "limit_mib": LIMIT_MIB,
        "limit_core_percent": LIMIT_CORE_PERCENT,
    }


def main() -> None:
    """Measures once."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(make_run(Path(folder)))), flush=True)


if __name__ == "__main__":
    if SUPERVISED in os.environ:
        sleep_as_trainer(RunDirectory(Path(sys.argv[1])))
    else:
        main()
