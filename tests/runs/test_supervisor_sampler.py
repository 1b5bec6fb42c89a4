"""The supervisor's sampler of the hardware: a process of its own, whose fate is not the run's."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from inft.machine.processes import is_alive, process_of
from inft.profiles import resolve, to_toml
from inft.runs.control import ask
from inft.runs.directory import RunDirectory, create_run
from inft.runs.jsonl import JsonlReader
from inft.runs.launch import SAMPLER_MODULE, start_trainer, supervisor_log
from inft.runs.locks import OutputLocks
from inft.runs.supervisor import Plan, supervise
from tests.machine import driver
from tests.runs import stand_in
from tests.runs.supervision import QUICK, Launch, Supervisor, own_child, starter, status_of, until, working


@pytest.fixture
def sampled(project: Path) -> RunDirectory:
    config = resolve("small", ["basic.hardware_interval_sec=0.1"]).config
    return create_run(config, to_toml(config), argv=["inft-tui"])


def sampler_of(supervisor: Supervisor | psutil.Process) -> psutil.Process:
    """The process that samples the hardware for `supervisor`, once it is what it will be."""
    found: list[psutil.Process] = []

    def look() -> bool:
        children = psutil.Process(supervisor.pid).children()
        found[:] = [child for child in children if SAMPLER_MODULE in child.cmdline()]
        return bool(found)

    until(look)
    return found[0]


def samples_of(run: RunDirectory) -> int:
    return len(run.hardware.read_text().splitlines()) if run.hardware.exists() else 0


def test_samples_are_there(sampled: RunDirectory, launch: Launch) -> None:
    supervisor = launch(sampled, "stubborn")
    own_child(sampled)
    until(lambda: samples_of(sampled) >= 8)
    ask(sampled, "abort")
    supervisor.wait(20)
    with JsonlReader(sampled.hardware) as reader:
        chunk = reader.read()
    assert chunk.skipped == 0
    last = [line.record for line in chunk.lines if line.record["workers"] == 1][-1]
    assert isinstance(last["rss_gib"], float)
    assert isinstance(last["cpu_percent"], float)
    assert isinstance(last["output_disk_free_gib"], float)
    assert not supervisor_log(sampled).exists()


def test_none_if_so_configured(project: Path, launch: Launch) -> None:
    config = resolve("small", ["basic.hardware_interval_sec=0"]).config
    run = create_run(config, to_toml(config), argv=["inft-tui"])
    launch(run, "finish").wait(30)
    assert not run.hardware.exists()


def test_the_end_of_the_sampler_is_not_the_trainers(sampled: RunDirectory, launch: Launch) -> None:
    supervisor = launch(sampled, "slow")
    trainer = working(sampled)
    sampler = sampler_of(supervisor)
    until(lambda: samples_of(sampled) > 0)
    sampler.kill()
    until(lambda: not sampler.is_running())  # its parent has collected it
    step = status_of(sampled).step
    until(lambda: status_of(sampled).step > step + 10)
    assert is_alive(trainer)
    assert psutil.Process(supervisor.pid).children() == [psutil.Process(trainer.pid)]  # it has patience
    ask(sampled, "stop")
    assert supervisor.wait(20) == 130


def test_the_sampler_ends_with_a_killed_supervisor(sampled: RunDirectory, launch: Launch) -> None:
    supervisor = launch(sampled, "slow")
    trainer = working(sampled)
    sampler = process_of(sampler_of(supervisor).pid)
    assert sampler is not None
    supervisor.kill()
    until(lambda: not is_alive(sampler), 5)
    assert is_alive(trainer)


def test_a_signal_to_the_supervisors_processes_is_one_to_stop(sampled: RunDirectory, launch: Launch) -> None:
    supervisor = launch(sampled, "slow")
    working(sampled)
    sampler = process_of(sampler_of(supervisor).pid)
    assert sampler is not None
    until(lambda: samples_of(sampled) > 0)
    for pid in (sampler.pid, supervisor.pid):
        os.kill(pid, signal.SIGTERM)
    assert supervisor.wait(20) == 130
    assert not is_alive(sampler)


def test_a_driver_that_hangs_does_not_keep_the_run_from_its_end(
    sampled: RunDirectory, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver.build(tmp_path)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("HANGS", "1")
    supervisor = launch(sampled, "slow")
    working(sampled)
    sampler = process_of(sampler_of(supervisor).pid)
    assert sampler is not None
    until(lambda: "libnvidia-ml" in Path(f"/proc/{sampler.pid}/maps").read_text())
    began = time.monotonic()
    ask(sampled, "stop")
    assert supervisor.wait(20) == 130
    assert time.monotonic() - began < 5
    assert not is_alive(sampler)
    assert status_of(sampled).state == "stopped"


def test_a_sampler_that_cannot_be_started_costs_the_samples_only(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAND_IN", "finish")
    supervisor_log(run).mkdir()
    assert supervise(run, replace(QUICK, hardware_interval_s=0.1), starter(run)) == 0
    assert capfd.readouterr().err.count("The hardware is not sampled: ") == 1


def test_in_a_fork_the_sampler_keeps_no_lock(sampled: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fault campaign starts it: nothing but the trainer keeps a pipe or a lock of its supervisor."""
    monkeypatch.setenv("STAND_IN", "slow")
    locks = OutputLocks.acquire([sampled.path / "outputs"], sampled)
    inherited = [os.dup(descriptor) for descriptor in locks.descriptors]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            held = OutputLocks(inherited)
            plan = Plan(hardware_interval_s=0.1)
            code = supervise(sampled, plan, lambda: start_trainer(sampled, locks=held, module=stand_in.MODULE))
        finally:
            os._exit(code)
    os.close(writing)
    for descriptor in inherited:
        os.close(descriptor)
    locks.close()
    until(sampled.status_json.exists)
    working(sampled)
    until(lambda: samples_of(sampled) > 0)
    sampler = sampler_of(psutil.Process(pid))
    sampler.suspend()
    trainer = status_of(sampled).pids.trainer
    assert trainer is not None
    os.kill(pid, signal.SIGKILL)
    os.kill(trainer.pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert os.read(reading, 1) == b""
    os.close(reading)
    until(lambda: not is_alive(trainer))
    other = RunDirectory(sampled.path.with_name("other"))
    OutputLocks.acquire([sampled.path / "outputs"], other, wait_s=1.0, going_on=lambda run: False).close()
    assert sampler.is_running()
    sampler.resume()
    until(lambda: not sampler.is_running() or sampler.status() == psutil.STATUS_ZOMBIE)


def test_supervisor_and_sampler_cost_next_to_nothing(
    run: RunDirectory, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # what a driver's own library takes is no choice of ours
    supervisor = launch(run, "slow")
    working(run)
    sampler = sampler_of(supervisor)
    until(lambda: samples_of(run) > 0)
    watched = [psutil.Process(supervisor.pid), sampler]
    before = [process.cpu_times() for process in watched]
    time.sleep(4.0)
    after = [process.cpu_times() for process in watched]
    memory = [process.memory_info().rss for process in watched]
    supervisor.terminate()
    supervisor.wait(20)
    assert max(memory) < 40 << 20
    for start, end in zip(before, after, strict=True):
        assert end.user + end.system - start.user - start.system < 0.01 * 4.0 + 0.02  # the clock ticks in 0.01 s
