"""The Logs screen and the alerts of every screen, as a person uses them."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from inft.runs.directory import RunDirectory
from inft.runs.status import Cause, Status, read_status
from tests.pty.terminal import Terminal
from tests.runs.pretend import write_events, write_status

LINE = b"2025-03-01 12:00:%02d INFO batch %06d was read in 0.01 s\n"


def printed(run: RunDirectory, first: int, count: int) -> None:
    """What a trainer prints."""
    with run.console_log.open("ab") as file:
        file.write(b"".join(LINE % (number % 60, number) for number in range(first, first + count)))


def test_it_follows_filters_and_finds_errors(live_run: RunDirectory, project: Path) -> None:
    printed(live_run, 0, 300)
    with live_run.console_log.open("ab") as file:
        file.write(b"Traceback (most recent call last):\nValueError: no rows\n")
    printed(live_run, 300, 300)
    with Terminal(columns=120) as terminal:
        terminal.wait_for("40/120")
        terminal.press("5")
        terminal.wait_for("following · 602 lines")
        printed(live_run, 600, 5)
        terminal.wait_for("batch 000604")
        terminal.press("N")
        terminal.wait_for("ValueError: no rows")
        assert "following" not in terminal.screen.lines[1]
        printed(live_run, 605, 5)
        terminal.wait_for("of 612 lines")  # and stays where it is
        assert "ValueError: no rows" in terminal.screen.text
        terminal.press("/batch 00001")
        terminal.wait_for("10 with “batch 00001”")
        terminal.press("\x1b")
        terminal.wait_gone("with “")
        terminal.press("e(")
        terminal.wait_for("is no regular expression")
        terminal.press("Value|batch 000609)")
        terminal.wait_for("2 with “(Value|batch 000609)”")
        terminal.press("\r\x1b")
        terminal.wait_gone("with “")
        terminal.press("G\t")
        terminal.wait_for("events is empty.")
        terminal.press("P")
        terminal.wait_for("outputs/screens/logs-")
        (picture,) = (project / "outputs" / "screens").iterdir()
        ElementTree.fromstring(picture.read_text(encoding="utf-8"))
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"LANG": "C", "COLORTERM": None}])
def test_a_small_terminal_and_a_log_that_is_replaced(live_run: RunDirectory, variables: dict[str, str | None]) -> None:
    live_run.console_log.write_text("新聞 写真\x1b[2Jhello\n" + "z" * 500 + "\n", encoding="utf-8")
    with Terminal("attach", "latest", columns=60, rows=18, env=variables) as terminal:
        terminal.wait_for("40")
        terminal.press("5")
        terminal.wait_for("\\x1b[2Jhello")
        terminal.press("w")
        terminal.wait_until(lambda screen: screen.text.count("z") == 500, "the whole line")
        live_run.console_log.unlink()
        live_run.console_log.write_text("another file\n")
        terminal.wait_for("another file")
        live_run.console_log.unlink()
        terminal.wait_for("deleted")
        for columns, rows in ((80, 24), (30, 8), (160, 45)):
            terminal.resize(columns, rows)
            terminal.read(0.1)
        terminal.wait_for("another file")
        terminal.press("q")
        assert terminal.wait() == 0


def test_an_alert_is_seen_on_every_screen_and_rings(live_run: RunDirectory, old_run: RunDirectory) -> None:
    write_events(live_run, *({"event": "log", "global_step": step, "loss": 2.0} for step in range(1, 41)))
    with Terminal(columns=120, env={"INFT_BELL": "1"}) as terminal:
        terminal.wait_for("40/120")
        terminal.press("j5")
        terminal.wait_for("step 20, loss 2")
        terminal.read(1.2)  # the sentry has seen it once
        write_events(live_run, {"event": "log", "global_step": 41, "loss": 9.0})
        terminal.wait_for("The loss jumped to 9 at step 41")
        assert terminal.screen.bells == 1
        terminal.press("j")  # too soon to have read it
        terminal.read(0.2)
        assert "The loss jumped" in terminal.screen.lines[-2]
        cause = Cause("out_of_memory", "The GPU is full.", "Take less.")
        write_status(live_run, Status("failed", step=44, max_steps=120, exit_code=4, cause=cause))
        terminal.wait_for(f"{live_run.run_id} failed after step 44 of 120, loss 9: The GPU is full.")
        assert terminal.screen.bells == 2
        terminal.press("!")
        terminal.wait_for("What happened")
        terminal.wait_for("The loss jumped to 9")
        terminal.press("\x1b")
        terminal.wait_gone("What happened")
        terminal.press("B")
        terminal.wait_for("The bell is off.")
        assert " ! " not in terminal.screen.lines[0]


def test_without_being_asked_it_is_silent(live_run: RunDirectory) -> None:
    with Terminal(columns=120, env={"INFT_BELL": "0"}) as terminal:
        terminal.wait_for("40/120")
        terminal.read(1.2)
        status = read_status(live_run.status_json)
        assert status is not None
        write_status(live_run, replace(status, state="finished", step=120, exit_code=0))
        terminal.wait_for(f"{live_run.run_id} finished after step 120 of 120")
        assert terminal.screen.bells == 0


def test_a_gigabyte_opens_at_once(live_run: RunDirectory) -> None:
    with live_run.console_log.open("wb") as file:
        file.truncate((1 << 30) - (1 << 20))
        file.seek(0, 2)
        file.write(LINE % (0, 0) * 10_000 + b"the end\n")
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("40/120")
        pressed = terminal.press("5")
        assert terminal.wait_for("the end") - pressed < 1.5
        assert terminal.resident_bytes() < 80e6


def test_following_a_thousand_lines_a_second(live_run: RunDirectory) -> None:
    printed(live_run, 0, 100)
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("40/120")
        terminal.press("5")
        terminal.wait_for("batch 000099")
        used, received, began = terminal.cpu_seconds(), terminal.received, time.monotonic()
        for tick in range(40):
            printed(live_run, 100 + tick * 50, 50)
            terminal.read(0.05)
        seconds = time.monotonic() - began
        terminal.wait_for("batch 002099")
        assert (terminal.cpu_seconds() - used) / seconds < 0.25
        assert (terminal.received - received) / seconds < 60_000
