from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from inft.errors import DiskError
from inft.machine.gpus import GpuReading
from inft.machine.host import HostReading
from inft.runs.directory import RunDirectory
from inft.runs.hardware import hardware, sampler, write_samples
from inft.runs.jsonl import JsonlReader, Record
from inft.runs.launch import PACKAGES, start_sampler, supervisor_log
from inft.runs.locks import OutputLocks
from inft.runs.sampling import Sampling
from tests.machine import driver
from tests.runs.supervision import until

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


def times(count: int) -> Callable[[float], bool]:
    """Over after so many samples, without a pause."""
    calls = iter(range(count + 1))
    return lambda pause_s: next(calls) == count


def test_a_sample_of_this_process(tmp_path: Path) -> None:
    sample = sampler(os.getpid(), {"logs": tmp_path, "output": tmp_path / "outputs"}, "-1")
    record = sample()
    assert record["gpus"] == []
    for key in ("rss_gib", "host_memory_total_gib", "logs_disk_free_gib", "output_disk_free_gib"):
        value = record[key]
        assert isinstance(value, float)
        assert value > 0
    assert sample()["cpu_percent"] is not None
    assert "output_disk_free_gib" not in sampler(os.getpid(), {"logs": tmp_path}, "-1")()


class TestWriting:
    def test_the_first_at_once_and_one_after_each_interval(self, tmp_path: Path) -> None:
        pauses = []

        def is_over(pause_s: float) -> bool:
            pauses.append(pause_s)
            return len(pauses) > 3

        write_samples(tmp_path / "h.jsonl", lambda: hardware(HOST, [], at=AT), 7.5, is_over)
        assert pauses == [0.0, 7.5, 7.5, 7.5]
        assert len((tmp_path / "h.jsonl").read_text().splitlines()) == 3

    def test_none_after_the_end(self, tmp_path: Path) -> None:
        write_samples(tmp_path / "h.jsonl", lambda: hardware(HOST, [], at=AT), 1.0, lambda pause_s: True)
        assert not (tmp_path / "h.jsonl").exists()

    def test_a_defect_is_told_once_and_costs_only_its_samples(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        calls = iter(range(1000))

        def sample() -> Record:
            if next(calls) in (1, 2, 3):
                raise ValueError("a sensor of a new kind")
            return hardware(HOST, [], at=AT)

        write_samples(tmp_path / "h.jsonl", sample, 1.0, times(8))
        assert len((tmp_path / "h.jsonl").read_text().splitlines()) == 5
        assert capfd.readouterr().err.count("Traceback") == 1

    def test_samples_pause_while_the_disk_is_full_and_go_on_after(self, tmp_path: Path) -> None:
        """The limit on a file's size stands for the disk: the kernel refuses the write in the same way."""
        code = """
        import resource, sys
        from pathlib import Path
        from inft.runs.hardware import write_samples
        path, number, endless = Path(sys.argv[1]), iter(range(10**6)), resource.RLIM_INFINITY
        limits = {0: 0, 5: 500, 40: endless}
        calls = iter(range(51))

        def is_over(pause_s):
            call = next(calls)
            if call in limits:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limits[call], endless))
            return call == 50

        write_samples(path, lambda: {"ts": "", "event": "hardware", "number": next(number)}, 0.01, is_over)
        """
        if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
            pytest.skip("file sizes are limited here already")
        path = tmp_path / "h.jsonl"
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
        line = len(path.read_text().splitlines()[0]) + 1
        assert numbers == [*range(5, 5 + 500 // line), *range(40, 50)]


class TestTheProcess:
    """The sampler as it is, started as the supervisor starts it; it watches this process."""

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
        return RunDirectory(tmp_path)

    @pytest.fixture
    def start(self, run: RunDirectory) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
        with ExitStack() as started:

            def start() -> subprocess.Popen[bytes]:
                process = started.enter_context(start_sampler(run, os.getpid(), 0.05, run.path / "outputs"))
                started.callback(process.kill)
                return process

            yield start

    def test_it_ends_when_its_stdin_is_closed(
        self, run: RunDirectory, start: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        process = start()
        records = wait_for(run.hardware, 5)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(5) == 0
        assert isinstance(records[0]["rss_gib"], float)
        assert isinstance(records[0]["output_disk_free_gib"], float)
        assert records[1]["cpu_percent"] is not None
        assert supervisor_log(run).read_text() == ""

    def test_signals_that_are_meant_for_all_of_a_run_mean_nothing_to_it(
        self, run: RunDirectory, start: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        process = start()
        wait_for(run.hardware, 1)
        assert os.getsid(process.pid) == process.pid
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        count = len(wait_for(run.hardware, 1))
        wait_for(run.hardware, count + 3)

    def test_it_goes_with_its_parent(self, run: RunDirectory) -> None:
        code = """
        import os, sys, time
        from pathlib import Path
        from inft.runs.directory import RunDirectory
        from inft.runs.launch import start_sampler
        print(start_sampler(RunDirectory(Path(sys.argv[1])), os.getpid(), 60.0, None).pid, flush=True)
        time.sleep(60)
        """
        parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(run.path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        )
        with parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            wait_for(run.hardware, 1)
            assert psutil.Process(pid).is_running()
            parent.kill()
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)

    def test_it_keeps_no_locks(
        self, run: RunDirectory, tmp_path: Path, start: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        with OutputLocks.acquire([tmp_path / "outputs"], run):
            start()
        OutputLocks.acquire([tmp_path / "outputs"], RunDirectory(tmp_path / "other"), wait_s=0.0).close()

    def test_it_samples_the_gpus(
        self,
        run: RunDirectory,
        tmp_path: Path,
        start: Callable[[], subprocess.Popen[bytes]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(driver.build(tmp_path)))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        start()
        (gpu,) = wait_for(run.hardware, 1)[0]["gpus"]  # type: ignore[misc]
        assert (gpu["index"], gpu["memory_used_gib"], gpu["power_w"]) == (1, 69.0, 512.3)

    def test_one_that_a_driver_holds_holds_up_nobody(
        self,
        run: RunDirectory,
        tmp_path: Path,
        start: Callable[[], subprocess.Popen[bytes]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        library = driver.build(tmp_path)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        monkeypatch.setenv("HANGS", "1")
        started: list[subprocess.Popen[bytes]] = []

        def start_and_keep() -> subprocess.Popen[bytes]:
            started.append(start())
            return started[0]

        sampling = Sampling(start_and_keep)
        sampling.look(0.0)
        (process,) = started
        until(lambda: "libnvidia-ml" in Path(f"/proc/{process.pid}/maps").read_text())
        time.sleep(0.3)
        began = time.monotonic()
        sampling.end()
        assert 0.9 < time.monotonic() - began < 2.5
        assert process.returncode == -signal.SIGKILL
        assert not run.hardware.exists()

    def test_a_log_that_cannot_be_written(self, run: RunDirectory) -> None:
        supervisor_log(run).mkdir()
        with pytest.raises(DiskError):
            start_sampler(run, os.getpid(), 1.0, None)
