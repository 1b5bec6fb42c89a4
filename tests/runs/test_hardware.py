from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inft.machine.gpus import GpuReading
from inft.machine.host import HostReading
from inft.runs.directory import RunDirectory
from inft.runs.hardware import HardwareLog, hardware, sampler
from inft.runs.jsonl import JsonlReader, Record

AT = datetime(2025, 3, 1, 12, 30, 5, tzinfo=UTC)
HOST = HostReading(
    rss_gib=1.5,
    workers_rss_gib=0.25,
    workers=4,
    cpu_percent=123.45678,
    host_memory_used_gib=10.0,
    host_memory_available_gib=20.0,
    host_memory_total_gib=32.0,
    swap_used_gib=0.0,
    shared_memory_free_gib=None,
    load_1min=1.0,
    disk_free_gib={"logs": 99.9999, "output": None},
)
GPU = GpuReading(0, "GPU-a", "NVIDIA H200", 87.0, 70.00049, 140.0, 61.0, 512.3, 700.0, 1980.0, 3201.0)


def wait_for(path: Path, lines: int, timeout_s: float = 20.0) -> list[Record]:
    end = time.monotonic() + timeout_s
    while True:
        with JsonlReader(path) as reader:
            found = [line.record for line in reader.read().lines]
        if len(found) >= lines:
            return found
        assert time.monotonic() < end, f"{len(found)} of {lines} lines"
        time.sleep(0.01)


def test_one_flat_line_with_units() -> None:
    assert hardware(HOST, [GPU, replace(GPU, index=1, power_w=None)], at=AT) == {
        "ts": "2025-03-01T12:30:05.000Z",
        "event": "hardware",
        "rss_gib": 1.5,
        "workers_rss_gib": 0.25,
        "workers": 4,
        "cpu_percent": 123.457,
        "host_memory_used_gib": 10.0,
        "host_memory_available_gib": 20.0,
        "host_memory_total_gib": 32.0,
        "swap_used_gib": 0.0,
        "shared_memory_free_gib": None,
        "load_1min": 1.0,
        "logs_disk_free_gib": 100.0,
        "output_disk_free_gib": None,
        "gpus": [
            {
                "index": index,
                "uuid": "GPU-a",
                "name": "NVIDIA H200",
                "utilization_percent": 87.0,
                "memory_used_gib": 70.0,
                "memory_total_gib": 140.0,
                "temperature_c": 61.0,
                "power_w": power,
                "power_limit_w": 700.0,
                "sm_clock_mhz": 1980.0,
                "memory_clock_mhz": 3201.0,
            }
            for index, power in ((0, 512.3), (1, None))
        ],
    }


def test_a_sample_of_this_process(tmp_path: Path) -> None:
    sample = sampler(os.getpid(), RunDirectory(tmp_path), tmp_path / "outputs", "-1")
    record = sample()
    assert record["gpus"] == []
    for key in ("rss_gib", "host_memory_total_gib", "logs_disk_free_gib", "output_disk_free_gib"):
        value = record[key]
        assert isinstance(value, float)
        assert value > 0
    second = sample()
    assert second["cpu_percent"] is not None
    assert "output_disk_free_gib" not in sampler(os.getpid(), RunDirectory(tmp_path), None, "-1")()


def test_a_sample_every_interval(tmp_path: Path) -> None:
    log = HardwareLog(tmp_path / "h.jsonl", lambda: hardware(HOST, [], at=AT), 0.05)
    log.start()
    time.sleep(1.0)
    log.stop()
    count = len((tmp_path / "h.jsonl").read_text().splitlines())
    assert 5 <= count <= 21
    time.sleep(0.2)
    assert len((tmp_path / "h.jsonl").read_text().splitlines()) == count


def test_stopping_does_not_wait_for_the_next_one(tmp_path: Path) -> None:
    log = HardwareLog(tmp_path / "h.jsonl", lambda: hardware(HOST, [], at=AT), 60.0)
    log.start()
    wait_for(tmp_path / "h.jsonl", 1)
    began = time.monotonic()
    log.stop()
    assert time.monotonic() - began < 1


def test_no_interval_no_samples(tmp_path: Path) -> None:
    log = HardwareLog(tmp_path / "h.jsonl", lambda: hardware(HOST, [], at=AT), 0)
    log.start()
    time.sleep(0.1)
    log.stop()
    assert not (tmp_path / "h.jsonl").exists()


def test_a_driver_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    hung, release = threading.Event(), threading.Event()

    def sample() -> Record:
        hung.set()
        release.wait(60)
        return hardware(HOST, [], at=AT)

    log = HardwareLog(tmp_path / "h.jsonl", sample, 0.01)
    began = time.monotonic()
    log.start()
    assert hung.wait(10)
    log.stop(wait_s=0.1)
    assert time.monotonic() - began < 5
    release.set()


def test_a_process_whose_driver_hangs_can_end() -> None:
    code = """
import time
from pathlib import Path
from inft.runs.hardware import HardwareLog
log = HardwareLog(Path("/nowhere/h.jsonl"), lambda: time.sleep(600), 1)
log.start()
time.sleep(0.1)
log.stop(0.1)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False).returncode == 0


def test_a_defect_is_told_once_and_costs_only_its_samples(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls = iter(range(1000))

    def sample() -> Record:
        if next(calls) in (1, 2, 3):
            raise ValueError("a sensor of a new kind")
        return hardware(HOST, [], at=AT)

    log = HardwareLog(tmp_path / "h.jsonl", sample, 0.01)
    log.start()
    wait_for(tmp_path / "h.jsonl", 5)
    log.stop()
    assert capfd.readouterr().err.count("Traceback") == 1


def test_samples_pause_while_the_disk_is_full_and_go_on_after(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk: the kernel refuses the write in the same way."""
    code = """
import resource, sys, time
from pathlib import Path
from inft.runs.hardware import HardwareLog
path, number = Path(sys.argv[1]), iter(range(10**6))
log = HardwareLog(path, lambda: {"ts": "", "event": "hardware", "number": next(number)}, 0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
log.start()
time.sleep(0.5)
assert not path.exists() or not path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
time.sleep(0.5)
size = path.stat().st_size
assert 0 < size <= 500, size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
time.sleep(0.5)
log.stop()
assert path.stat().st_size > size
"""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if hard != resource.RLIM_INFINITY:
        pytest.skip("file sizes are limited here already")
    path = tmp_path / "h.jsonl"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[0] > 0
