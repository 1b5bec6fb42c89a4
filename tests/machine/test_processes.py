from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from inft.machine.boot import boot_id, uptime
from inft.machine.processes import ProcessId, is_alive, pid_namespace, process_of, this_process

ON_LINUX = sys.platform == "linux"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends once its stdin is closed, under a name that is hard to parse."""
    name = "import ctypes; ctypes.CDLL(None).prctl(15, b') S 1 (', 0, 0, 0)" if ON_LINUX else "pass"
    code = f"{name}; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process without collecting it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.read()
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)


def without_ticks(process: ProcessId) -> ProcessId:
    """As a system other than Linux knows it."""
    return replace(process, ticks=None)


def test_this_process_lives() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.started == pytest.approx(psutil.Process().create_time())
    assert (me.ticks is not None) == ON_LINUX
    assert is_alive(me)
    assert is_alive(without_ticks(me))


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    me = this_process()
    assert not is_alive(replace(without_ticks(me), started=me.started - 3600))
    if me.ticks is not None:
        assert not is_alive(replace(me, ticks=me.ticks - 1))


@pytest.mark.skipif(not ON_LINUX, reason="only Linux tells the start in ticks")
def test_a_corrected_clock_kills_nobody() -> None:
    me = this_process()
    assert is_alive(replace(me, started=me.started - 86400))


@pytest.mark.parametrize("seen_as", [lambda it: it, without_ticks], ids=["ticks", "date"])
def test_an_ended_process_is_dead_even_before_its_parent_collects_it(
    child: subprocess.Popen[bytes], seen_as: Callable[[ProcessId], ProcessId]
) -> None:
    found = process_of(child.pid)
    assert found is not None
    identity = seen_as(found)
    assert is_alive(identity)
    end(child)
    assert not is_alive(identity)
    child.wait()
    assert not is_alive(identity)
    assert process_of(child.pid) is None


@pytest.mark.skipif(not ON_LINUX, reason="only Linux hides processes")
def test_another_user_s_process_that_only_shows_its_number_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under hidepid=1, /proc/PID is there and cannot be read; root, which a test may be, would read it."""

    def forbidden(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    me = this_process()
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    monkeypatch.setattr(os, "kill", forbidden)
    assert is_alive(me)


@pytest.mark.skipif(not ON_LINUX, reason="only Linux has sets of processes")
def test_a_container_has_its_own_numbers() -> None:
    mine = pid_namespace()
    assert mine is not None
    code = "from inft.machine.processes import pid_namespace; print(pid_namespace())"
    own = [sys.executable, "-c", code]
    assert subprocess.run(own, capture_output=True, text=True, check=True).stdout.strip() == mine
    other = subprocess.run(["unshare", "--pid", "--fork", *own], capture_output=True, text=True, check=False)
    if other.returncode:
        pytest.skip("this user may not make one")
    assert other.stdout.strip() != mine


@pytest.mark.skipif(not ON_LINUX, reason="only Linux names its boots")
def test_a_boot_has_a_name_and_a_clock_that_other_processes_share() -> None:
    code = "from inft.machine.boot import *; print(boot_id(), uptime())"
    before = uptime()
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert answer[0] == boot_id()
    assert before < float(answer[1]) < uptime()
