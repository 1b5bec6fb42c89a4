from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

import pytest

from inft.runs.sampling import Process, Sampling
from tests.runs.supervision import until

MINUTE = 60.0


@dataclass
class Started:
    """Starts real processes that end when their stdin is closed, and keeps them."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __call__(self) -> Process:
        self.processes.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))
        return self.processes[-1]

    def kill(self) -> None:
        """Kills the last one, and leaves its end for others to notice."""
        os.kill(self.processes[-1].pid, signal.SIGKILL)
        until(lambda: os.waitid(os.P_PID, self.processes[-1].pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None)


@pytest.fixture
def started() -> Iterator[Started]:
    it = Started()
    yield it
    for process in it.processes:
        with process:
            process.kill()


def test_one_at_a_time(started: Started) -> None:
    sampling = Sampling(started)
    for now in (0.0, 1.0, 10 * MINUTE):
        sampling.look(now)
    assert len(started.processes) == 1
    sampling.end()
    assert started.processes[0].returncode == 0


def test_what_died_is_started_again_with_growing_patience(started: Started) -> None:
    sampling = Sampling(started)
    now, waits = 0.0, []
    sampling.look(now)
    for _ in range(9):
        started.kill()
        count, died = len(started.processes), now
        while len(started.processes) == count:
            now += 1.0
            sampling.look(now)
        waits.append((now - died) / MINUTE)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_died_late_is_started_again_at_once(started: Started) -> None:
    sampling = Sampling(started)
    sampling.look(0.0)
    started.kill()
    sampling.look(2 * MINUTE)
    assert len(started.processes) == 2


def test_what_cannot_be_started_is_tried_again_later(started: Started) -> None:
    attempts = 0

    def start() -> Process:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return started()

    sampling = Sampling(start)
    with pytest.raises(OSError, match="temporarily"):
        sampling.look(0.0)
    sampling.look(MINUTE - 1)
    assert attempts == 1
    sampling.end()
    sampling.look(MINUTE)
    assert len(started.processes) == 1


def test_no_samples_wanted() -> None:
    sampling = Sampling(None)
    sampling.look(0.0)
    sampling.end()


def took(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_the_end_of_one_that_is_held(started: Started) -> None:
    sampling = Sampling(started)
    sampling.look(0.0)
    os.kill(started.processes[0].pid, signal.SIGSTOP)
    assert took(sampling.end) < 3
    assert started.processes[0].returncode == -signal.SIGKILL


def test_the_end_of_one_that_is_dead_already(started: Started) -> None:
    sampling = Sampling(started)
    sampling.look(0.0)
    started.kill()
    assert took(sampling.end) < 1


class Undying:
    """Stands for a process in the middle of a system call that does not return; SIGKILL waits for that too."""

    stdin: IO[bytes] | None = None
    killed = 0

    def poll(self) -> int | None:
        return None

    def wait(self, timeout: float | None = None) -> int:
        assert timeout is not None, "it waits for ever"
        time.sleep(timeout)
        raise subprocess.TimeoutExpired("sampler", timeout)

    def kill(self) -> None:
        self.killed += 1


def test_one_that_not_even_sigkill_ends_is_left_behind() -> None:
    process = Undying()
    sampling = Sampling(lambda: process)
    sampling.look(0.0)
    assert took(sampling.end) < 3
    assert process.killed == 1
