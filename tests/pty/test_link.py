"""A link that is slow or stuck costs little, and nothing waits for it."""

from __future__ import annotations

import signal
import time

import pytest

from inft.runs.directory import RunDirectory
from tests.pty.terminal import Terminal
from tests.pty.test_monitor_screen import line as ten_figures

REPAINT = "\x0c"
BACKLOG_BYTES = 64 << 10
STALL_S = 2.0


def stall(terminal: Terminal, repaints: int = 60) -> None:
    """Reads nothing while the whole screen is drawn again and again."""
    for _ in range(repaints):
        terminal.press(REPAINT)
        time.sleep(0.01)


@pytest.mark.parametrize(("screen", "env"), [("monitor", {}), ("chart", {"SSH_TTY": "/dev/pts/0"}), ("logs", {})])
def test_a_stalled_link_has_little_to_catch_up_on(
    screen: str, env: dict[str, str | None], live_run: RunDirectory, old_run: RunDirectory
) -> None:
    """A stall of 6 s and one of a minute leave no more than this one: drawing has ended before it ends.

    That is seen in what comes afterwards. The title, which no figure changes, is drawn once more, and that happens only
    where drawings were left out.
    """
    live_run.metrics.write_text("".join(map(ten_figures, range(1, 200))), encoding="utf-8")
    with Terminal("attach", "latest", columns=160, rows=45, env=env) as terminal:
        terminal.wait_for("┤")
        for key in {"monitor": "", "chart": "\r", "logs": "5"}[screen]:
            terminal.press(key)
        terminal.wait_for({"monitor": "Monitor", "chart": "1 of ", "logs": "following"}[screen])
        terminal.read(0.3)
        seen, step = len(terminal.chunks), 200
        cpu, end = terminal.cpu_seconds(), time.monotonic() + STALL_S
        with live_run.metrics.open("a", encoding="utf-8", buffering=1) as file:
            while time.monotonic() < end:
                file.write(ten_figures(step))
                step += 1
                time.sleep(0.02)
        used = terminal.cpu_seconds() - cpu
        caught_up = terminal.read(0.25)
        late = b"".join(data for _, data in terminal.chunks[seen:])
        assert b" inft " in late
        assert caught_up <= BACKLOG_BYTES
        assert used < STALL_S * 0.3
        terminal.press("?")
        terminal.wait_for("Everywhere")


def test_a_slow_link_gets_whole_drawings(live_run: RunDirectory, old_run: RunDirectory) -> None:
    """However often something is drawn meanwhile: 20 kB/s, and twenty times a second the whole of a large chart."""
    live_run.metrics.write_text("".join(map(ten_figures, range(1, 200))), encoding="utf-8")
    with Terminal("attach", "latest", columns=160, rows=45) as terminal:
        terminal.wait_for("┤")
        footer = terminal.screen.lines[-1]
        stall(terminal, 20)
        terminal.press("\r")
        end = time.monotonic() + 8
        while not ("1 of 8" in terminal.screen.lines[0] and terminal.screen.lines[-1] not in ("", footer)):
            assert time.monotonic() < end, terminal.screen.text
            terminal.press(REPAINT)
            terminal.read(0.05, at_most=1000)


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
