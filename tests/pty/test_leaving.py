"""However the console ends, the terminal is as it was, the run goes on, and the process is gone within a second."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inft.runs.directory import RunDirectory
from inft.runs.inspect import inspect
from tests.pty.programs import breaking
from tests.pty.terminal import Terminal
from tests.pty.tour import QUIET, go_to, something_to_see

GONE_S = 1.0


def gone_within(terminal: Terminal, since: float) -> int:
    """The exit code of a program that has to end soon."""
    code = terminal.wait()
    took = time.monotonic() - since
    assert took < GONE_S, f"it took {took:.2f} s"
    return code


def restored(terminal: Terminal) -> bool:
    """Modes, cursor and line discipline."""
    return terminal.screen.restored and terminal.settings == terminal.settings_before


@pytest.mark.parametrize(
    ("number", "screen"),
    [
        (signal.SIGTERM, "launch"),
        (signal.SIGTERM, "system"),
        (signal.SIGHUP, "chart"),
        (signal.SIGINT, "alerts"),
    ],
)
def test_a_signal(number: signal.Signals, screen: str, live_run: RunDirectory, old_run: RunDirectory) -> None:
    something_to_see(live_run)
    with Terminal(env=QUIET) as terminal:
        go_to(terminal, screen)
        assert not terminal.screen.restored
        assert gone_within(terminal, terminal.signal(number)) == 128 + number
        assert restored(terminal)
        assert f"Training goes on without the console: {live_run.run_id}." in terminal.screen.text
        assert f"inft-tui stop {live_run.run_id}" in terminal.screen.text
    assert inspect(live_run).alive
    assert not live_run.control.exists()


@pytest.mark.parametrize(
    ("ignored", "screen"),
    [((), "monitor"), ((signal.SIGHUP,), "logs"), ((), "compare")],
)
def test_a_closed_terminal(
    ignored: tuple[signal.Signals, ...], screen: str, live_run: RunDirectory, old_run: RunDirectory
) -> None:
    something_to_see(live_run)
    with Terminal(ignore=ignored, env=QUIET) as terminal:
        go_to(terminal, screen)
        assert gone_within(terminal, terminal.hang_up()) == 128 + signal.SIGHUP
    assert inspect(live_run).alive
    assert not live_run.control.exists()


def test_an_ignored_hang_up_that_leaves_the_terminal_is_none(old_run: RunDirectory) -> None:
    with Terminal(ignore=[signal.SIGHUP]) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.signal(signal.SIGHUP)
        terminal.read(0.2)
        terminal.press("?")
        terminal.wait_for("Everywhere")


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_a_key(key: str, live_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(live_run.run_id)
        assert gone_within(terminal, terminal.press(key)) == 0
        assert restored(terminal)
        assert "Training goes on without the console" in terminal.screen.text


def test_where_nothing_goes_on_nothing_is_said(old_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.screen.text.strip() == ""


@pytest.mark.parametrize(
    ("screen", "where"),
    [
        ("chart", "from inft_tui.screens.chart import ChartScreen; ChartScreen.act = break_down"),
        ("editor", "from inft_tui.screens.parameters import ParametersScreen; ParametersScreen.act = break_down"),
        ("compare", "from inft_tui.screens.compare import CompareScreen; CompareScreen.draw = break_down"),
        ("monitor", "from inft_tui.screens.monitor import MonitorScreen; MonitorScreen.tick = break_down"),
        ("system", "from inft_tui.screens.system import SystemScreen; SystemScreen.draw = break_down"),
        ("logs", "from inft_tui.logs.pager import Pager; Pager.look = break_down"),
        ("runs", "from inft_tui.widgets.line_view import LineView; LineView.render_line = break_down"),
        ("runs", "from inft_tui.listing import Listing; Listing.read = break_down"),
    ],
)
def test_a_crash(screen: str, where: str, live_run: RunDirectory, old_run: RunDirectory, project: Path) -> None:
    """In a key, a drawing, the timer, the reader or a line."""
    something_to_see(live_run)
    with Terminal(
        program=breaking("raise ZeroDivisionError('in a screen')", where), columns=200, env=QUIET
    ) as terminal:
        try:
            go_to(terminal, screen)
            terminal.press("c")
        except AssertionError:
            assert terminal.process.poll() is not None
        assert terminal.wait() == 70
        assert restored(terminal)
        said = terminal.screen.text.strip().splitlines()
        assert said[0] == "error: inft-tui failed in a way it should not: ZeroDivisionError: in a screen."
        assert "inft-tui-crash.log" in said[1]
        assert len(said) <= 3
    log = (project / "logs" / "inft-tui-crash.log").read_text(encoding="utf-8")
    assert "break_down" in log
    assert inspect(live_run).alive
    assert not live_run.control.exists()


@pytest.mark.parametrize("act", ["while True: pass", "time.sleep(600)"], ids=["busy", "waiting"])
def test_a_screen_that_hangs(act: str, old_run: RunDirectory) -> None:
    with Terminal(program=breaking(act)) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("j")
        terminal.read(0.1)
        assert gone_within(terminal, terminal.signal(signal.SIGTERM)) == 128 + signal.SIGTERM
        assert restored(terminal)


def test_a_reader_that_hangs(old_run: RunDirectory) -> None:
    where = "from inft_tui.listing import Listing; Listing.read = break_down"
    with Terminal(program=breaking("time.sleep(600)", where)) as terminal:
        terminal.wait_for("Looking for runs")
        assert gone_within(terminal, terminal.press("q")) == 0
        assert restored(terminal)


def test_a_stop_and_going_on(old_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("\x1a")
        terminal.wait_until(lambda screen: screen.restored, "the shell's screen")
        until(lambda: _state(terminal) == "T")
        assert terminal.settings == terminal.settings_before
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(old_run.run_id)
        assert not terminal.screen.restored


def until(condition: Callable[[], bool]) -> None:
    """Waits a little."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _state(terminal: Terminal) -> str:
    stat = Path(f"/proc/{terminal.process.pid}/stat").read_text(encoding="ascii")
    return stat.rpartition(")")[2].split()[0]
