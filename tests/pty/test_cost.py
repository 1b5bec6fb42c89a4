"""What the benchmark measures, with a margin for a crowded machine: `python -m benchmarks.console` has the figures."""

from __future__ import annotations

import statistics
from dataclasses import replace

from inft.runs.directory import RunDirectory
from inft.runs.status import read_status
from tests.pty.terminal import Terminal
from tests.runs.pretend import write_status


def test_the_first_paint_takes_little_work(live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("training")
        assert terminal.cpu_seconds() < 0.7
        assert terminal.resident_bytes() < 60e6


def test_a_key_is_answered_soon(live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("training")
        taken = []
        for _ in range(10):
            pressed = terminal.press("/")
            taken.append(terminal.wait_for("Show runs with") - pressed)
            terminal.press("\x1b")
            terminal.wait_gone("Show runs with")
        assert statistics.median(taken) < 0.2


def test_a_change_of_one_figure_sends_only_that(live_run: RunDirectory) -> None:
    with Terminal(columns=160, rows=20) as terminal:
        terminal.wait_for("40/120")
        before = terminal.received
        status = read_status(live_run.status_json)
        assert status is not None
        write_status(live_run, replace(status, step=41))
        terminal.wait_for("41/120")
        assert terminal.received - before < 1000
