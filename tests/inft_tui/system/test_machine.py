"""What is asked of the machine, by whom, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inft.machine.processes import is_alive, process_of
from inft_tui.charts.plot import Curve
from inft_tui.charts.series import Series
from inft_tui.feeds.hardware_feed import HardwareFeed
from inft_tui.system.folders import look_at
from inft_tui.system.history import Gauge
from inft_tui.system.look import Look, look_at_gpus
from inft_tui.system.sampler import Sampler
from inft_tui.worker import Worker

PATIENCE_S = 10.0


def soon(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_question_is_asked_again_after_its_period_and_only_once_at_a_time() -> None:
    asked, told = 0, 0
    release = threading.Event()

    def question() -> int:
        nonlocal asked
        asked += 1
        release.wait(PATIENCE_S)
        return min(asked, 2)

    def answered() -> None:
        nonlocal told
        told += 1

    calls: list[Callable[[], None]] = []
    look = Look(question, Worker(calls.append, lambda error: None), lambda _: 5.0, answered)
    look.poll(0.0)
    look.poll(3.0)
    soon(lambda: asked == 1)
    assert look.waiting_s == 3.0
    release.set()
    soon(lambda: len(calls) == 1)
    calls.pop()()
    assert (look.answer, told, look.waiting_s) == (1, 1, 0.0)
    look.poll(7.9)
    assert look.waiting_s == 0.0
    look.poll(8.0)
    soon(lambda: len(calls) == 1)
    calls.pop()()
    look.again()
    look.poll(8.1)
    soon(lambda: len(calls) == 1)
    calls.pop()()
    assert (asked, told) == (3, 2), "the same answer is no news"


def test_a_look_at_the_gpus_that_fails_says_why() -> None:
    assert look_at_gpus("no.such.module").cards.state == "error"
    assert "no" in look_at_gpus("no.such.module").cards.reason


def test_a_folder_that_does_not_exist_yet_is_on_the_disk_around_it(tmp_path: Path) -> None:
    sight = look_at(tmp_path / "not" / "yet")
    assert sight.free_bytes is not None
    assert sight.total_bytes is not None
    assert 0 < sight.free_bytes <= sight.total_bytes
    assert sight.problem == ""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_sampler_samples_and_leaves_nothing_behind(temporary: Path) -> None:
    sampler = Sampler(interval_s=0.05)
    feed = HardwareFeed(sampler.path)
    soon(lambda: feed.read(1.0).done and "host_memory_used_gib" in feed.host)
    assert oct(sampler.path.parent.stat().st_mode)[-3:] == "700"
    feed.close()
    sampler.close()
    assert not sampler.is_running
    assert list(temporary.iterdir()) == []


def test_the_sampler_ends_with_a_console_that_was_killed(temporary: Path) -> None:
    code = (
        "import tempfile, sys, time; tempfile.tempdir = sys.argv[1]\n"
        "from inft_tui.system.sampler import Sampler\n"
        "print(Sampler()._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(temporary)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as console:
        assert console.stdout is not None
        sampler = process_of(int(console.stdout.readline()))
        assert sampler is not None
        soon(lambda: any(temporary.glob("*/hardware.jsonl")))
        os.kill(console.pid, signal.SIGKILL)
    soon(lambda: not is_alive(sampler))
    soon(lambda: list(temporary.iterdir()) == [])


@pytest.mark.parametrize(("most", "values", "top"), [(100.0, (97.0, 98.0), 100.0), (700.0, (0.0,), 700.0)])
def test_a_small_chart_shows_how_much_there_could_be(most: float, values: tuple[float, ...], top: float) -> None:
    series = Series("use")
    for x, value in enumerate(values):
        series.append(x, value)
    viewport = Gauge(most=most).viewport([Curve(series)], None, 3)
    assert viewport is not None
    assert (viewport.y0, viewport.y1) == (0.0, top)
    series.append(len(values), 2 * most)
    viewport = Gauge(most=most).viewport([Curve(series)], None, 3)
    assert viewport is not None
    assert viewport.y1 >= 2 * most
    assert Gauge(most=most).viewport([], None, 3) is None
