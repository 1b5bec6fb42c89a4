"""A link that is slow or stuck costs little, and nothing waits for it."""

from __future__ import annotations

import signal
import time

import pytest

from inft.runs.directory import RunDirectory
from tests.pty.terminal import Terminal

REPAINT = "\x0c"
BACKLOG_BYTES = 64 << 10


def stall(terminal: Terminal, repaints: int = 60) -> None:
    """Reads nothing while the whole screen is drawn again and again, as often as in half a minute of a live run."""
    for _ in range(repaints):
        terminal.press(REPAINT)
        time.sleep(0.02)


def test_a_stalled_link_has_little_to_catch_up_on(live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for(live_run.run_id)
        before = terminal.received
        terminal.press(REPAINT)
        frame = terminal.read(0.3)
        stall(terminal)
        cpu = terminal.cpu_seconds()
        caught_up = terminal.read(0.5)
        assert 2 * frame < 60 * frame - BACKLOG_BYTES  # otherwise this would prove nothing
        assert caught_up <= BACKLOG_BYTES
        assert terminal.cpu_seconds() - cpu < 0.3
        assert terminal.received > before
        terminal.press("?")
        terminal.wait_for("Everywhere")


def test_after_a_stall_the_screen_is_right(live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for(live_run.run_id)
        stall(terminal)
        terminal.press("?")
        time.sleep(0.1)
        terminal.wait_for("Everywhere")
        with Terminal(columns=160, rows=45) as other:
            other.wait_for(live_run.run_id)
            other.press("?")
            other.wait_for("Everywhere")
            terminal.read(0.2)
            other.read(0.2)
            assert terminal.screen.lines == other.screen.lines


@pytest.mark.parametrize(("leave", "code"), [("signal", 128 + signal.SIGTERM), ("key", 0)])
def test_a_stalled_link_delays_no_end(leave: str, code: int, live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for(live_run.run_id)
        stall(terminal)
        began = terminal.signal(signal.SIGTERM) if leave == "signal" else terminal.press("q")
        assert terminal.process.wait(5) == code
        assert time.monotonic() - began < 1.0


def test_nothing_is_sent_while_nothing_happens(old_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.read(0.5)
        cpu = terminal.cpu_seconds()
        assert terminal.read(2.0) == 0
        # A hundredth of a second is what the kernel counts in; the benchmark measures longer.
        assert terminal.cpu_seconds() - cpu <= 0.05
