from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from inft_tui.ctrl_c import CtrlC


@pytest.fixture(autouse=True)
def as_usual() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def type_it() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_waits_until_somebody_can_say_what_it_means() -> None:
    ctrl_c = CtrlC()
    ctrl_c.hold_back()
    type_it()
    with pytest.raises(KeyboardInterrupt):
        ctrl_c.let_through()


def test_after_the_first_one_none_interrupts() -> None:
    ctrl_c = CtrlC()
    ctrl_c.hold_back()
    ctrl_c.let_through()
    with pytest.raises(KeyboardInterrupt):
        type_it()
    type_it()


def test_in_the_end_it_is_what_it_was() -> None:
    ctrl_c = CtrlC()
    ctrl_c.restore()  # before anything was held back
    ctrl_c.hold_back()
    ctrl_c.restore()
    with pytest.raises(KeyboardInterrupt):
        type_it()


def test_where_it_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctrl_c = CtrlC()
    ctrl_c.hold_back()
    ctrl_c.let_through()
    type_it()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_leaves_it_alone() -> None:
    thread = threading.Thread(target=CtrlC().hold_back)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
