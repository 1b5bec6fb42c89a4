"""What the supervisor and its sampler cost beside a trainer that sleeps: `python -m benchmarks.supervisor`.

Prints a JSON line. Of each of the two processes: its resident memory, what of it is its own, and its part of what they
share (all in MiB); its share of a core over 30 s, one sample of the hardware every 5 s included. Of both: the sum of
their parts. How long it took from the start to the first sample, and how many GPUs are sampled, since with the first
one comes the memory of NVIDIA's library.
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
from inft.runs.launch import SAMPLER_MODULE, start_supervisor
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
        time.sleep(SETTLING_S)
        watched = {"supervisor": psutil.Process(supervisor.pid), "sampler": sampler_of(supervisor.pid)}
        before = {name: spent_s(process) for name, process in watched.items()}
        time.sleep(SECONDS)
        core = {name: (spent_s(process) - before[name]) / SECONDS for name, process in watched.items()}
        memory = {name: process.memory_full_info() for name, process in watched.items()}
    finally:
        supervisor.terminate()
        supervisor.wait()
    with JsonlReader(run.hardware) as reader:
        gpus = reader.read().lines[-1].record["gpus"]
    return {
        "benchmark": "supervisor",
        **{
            name: {
                "rss_mib": mib(memory[name].rss),
                "own_mib": mib(memory[name].uss),
                "part_mib": mib(memory[name].pss),
                "core_percent": round(100 * core[name], 2),
            }
            for name in watched
        },
        "both_mib": mib(sum(facts.pss for facts in memory.values())),
        "first_sample_ms": round(started_s * 1000),
        "gpus": len(gpus) if isinstance(gpus, list) else 0,
        "limit_mib": LIMIT_MIB,
        "limit_core_percent": LIMIT_CORE_PERCENT,
    }


def sampler_of(supervisor: int) -> psutil.Process:
    (found,) = [child for child in psutil.Process(supervisor).children() if SAMPLER_MODULE in child.cmdline()]
    return found


def spent_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def mib(size: int) -> float:
    return round(size / 2**20, 1)


def main() -> None:
    """Measures once."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(make_run(Path(folder)))), flush=True)


if __name__ == "__main__":
    if SUPERVISED in os.environ:
        sleep_as_trainer(RunDirectory(Path(sys.argv[1])))
    else:
        main()
