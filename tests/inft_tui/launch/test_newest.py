"""A thread in which only the newest job counts, and a job may hang."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from inft_tui.launch.newest import Newest


class Screen:
    """Calls what is handed over when asked to."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.results: list[object] = []

    def wait(self) -> None:
        self.calls.get(timeout=5)()


def test_only_the_newest_is_done() -> None:
    screen, done = Screen(), []
    newest: Newest[int] = Newest(screen.calls.put, delay_s=0.05)
    for number in range(20):
        newest.ask(lambda number=number: done.append(number) or number, screen.results.append)
    assert newest.is_busy
    screen.wait()
    assert (done, screen.results, newest.is_busy) == ([19], [19], False)


def test_a_result_that_is_out_of_date_is_not_told() -> None:
    screen, go, began = Screen(), threading.Event(), threading.Event()
    newest: Newest[str] = Newest(screen.calls.put, delay_s=0)

    def slow() -> str:
        began.set()
        go.wait(5)
        return "old"

    newest.ask(slow, screen.results.append)
    assert began.wait(5)
    newest.ask(lambda: "new", screen.results.append)
    go.set()
    screen.wait()
    assert screen.results == ["new"]
    assert screen.calls.empty()


def test_what_goes_wrong_is_told_like_a_result() -> None:
    screen = Screen()
    newest: Newest[float] = Newest(screen.calls.put, delay_s=0)
    newest.ask(lambda: 1 / 0, screen.results.append)
    screen.wait()
    assert isinstance(screen.results[0], ZeroDivisionError)
    newest.ask(lambda: 2.0, screen.results.append)
    screen.wait()
    assert screen.results[1] == 2.0


def test_a_job_that_hangs_is_left_to_itself() -> None:
    screen, never = Screen(), threading.Event()
    newest: Newest[str] = Newest(screen.calls.put, delay_s=0, patience_s=0.02)
    newest.ask(lambda: str(never.wait(5)), screen.results.append)
    while not newest.is_stuck:
        time.sleep(0.005)
    newest.ask(lambda: "after", screen.results.append)
    screen.wait()
    assert screen.results == ["after"]
    never.set()
    time.sleep(0.02)
    assert screen.calls.empty()
