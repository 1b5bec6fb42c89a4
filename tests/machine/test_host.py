from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from inft.machine.host import HostMeter, descendants

# A process with a child and a grandchild, all of which wait; the child is started by a thread that is not the first.
FAMILY = """
import subprocess, sys, threading, time
child = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print(flush=True); time.sleep(60)"
def start():
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    process.stdout.readline()
    print(flush=True)
    time.sleep(60)
threading.Thread(target=start).start()
"""
BUSY = "print(flush=True)\nwhile True: pass"


def started(code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, 9)
    process.communicate()


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    process = started(FAMILY)
    yield process
    end(process)


def test_descendants_of_every_thread(family: subprocess.Popen[bytes]) -> None:
    found = descendants(family.pid)
    assert len(found) == 2
    parents = [psutil.Process(pid).ppid() for pid in found]
    assert parents == [family.pid, found[0]]


def test_nobody_has_no_descendants() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert descendants(process.pid) == []


def test_the_figures_of_a_family(family: subprocess.Popen[bytes], tmp_path: Path) -> None:
    reading = HostMeter(family.pid, {"logs": tmp_path, "output": tmp_path / "not" / "yet"}).read(0.0)
    assert reading.workers == 2
    assert reading.rss_gib is not None
    assert reading.workers_rss_gib is not None
    assert 0.001 < reading.rss_gib < 1
    assert 0.001 < reading.workers_rss_gib < 1
    assert reading.cpu_percent is None  # nothing to compare with yet
    assert reading.host_memory_total_gib is not None
    assert reading.host_memory_available_gib is not None
    assert reading.host_memory_used_gib is not None
    assert 0 < reading.host_memory_used_gib < reading.host_memory_total_gib
    assert 0 < reading.host_memory_available_gib < reading.host_memory_total_gib
    facts = os.statvfs(tmp_path)
    free = facts.f_bavail * facts.f_frsize / 2**30
    assert reading.disk_free_gib["logs"] == pytest.approx(free, abs=1)
    assert reading.disk_free_gib["output"] == pytest.approx(free, abs=1)


def test_the_processors_share() -> None:
    process = started(BUSY)
    try:
        meter = HostMeter(process.pid, {})
        began = time.monotonic()
        meter.read(began)
        time.sleep(1.0)
        now = time.monotonic()
        share = meter.read(now).cpu_percent
        # Of two cores that others may want as well.
        assert share is not None
        assert 20 < share <= 115
        assert meter.read(now).cpu_percent is None  # no time has passed
    finally:
        end(process)


def test_a_process_that_is_gone_costs_only_its_own_figures(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    reading = HostMeter(process.pid, {"logs": tmp_path}).read(0.0)
    assert (reading.rss_gib, reading.workers_rss_gib, reading.workers, reading.cpu_percent) == (None,) * 4
    assert reading.host_memory_total_gib is not None
