"""The Monitor and Chart screens over a terminal, as a person uses them, and what they cost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.pty.terminal import Terminal
from tests.runs.pretend import new_run, write_events, write_status

STEPS = 100_000
LINE = (
    '{"event":"log","global_step":%d,"epoch":%.4f,"elapsed_sec":%.2f,"loss":%.5f,"learning_rate":%.8f,"grad_norm":%.5f,'
    '"step_time_sec":%.4f,"samples_per_sec":%.4f,"tokens_per_sec":%.2f,"supervised_tokens":%d,"peak_vram_gib":%.3f,'
    '"data_sec":%.5f,"compute_sec":%.5f}\n'
)


def line(step: int) -> str:
    """A step with ten figures."""
    part = step % 17 / 17
    figures = (
        2 + part,
        1e-4 * part,
        part,
        1 + part,
        20 * part,
        9000 * part,
        300 + step % 99,
        40 + part,
        part / 9,
        part,
    )
    return LINE % (step, step / STEPS, step * 1.5, *figures)


def test_a_long_run_is_there_at_once(config: Config) -> None:
    run = new_run(config, "2025-03-01 12:00:00")
    run.metrics.write_text("".join(map(line, range(1, STEPS + 1))), encoding="utf-8")
    write_status(run, Status("finished", step=STEPS, max_steps=STEPS, exit_code=0))
    with Terminal("attach", "latest", columns=160, rows=45) as terminal:
        first = terminal.wait_for("┤") - terminal.started
        pressed = terminal.press("p")
        answered = terminal.wait_for("── captions") - pressed
        terminal.wait_gone("reading …")
        while terminal.read(0.3):  # the last charts are drawn
            assert time.monotonic() - terminal.started < 8.0
        assert "step 100,000 of 100,000" in terminal.screen.text
        # Targets are 0.5 s, 1.2 s, 80 MB and 50 ms on an idle machine; the benchmark holds to those.
        assert first < 2.0
        assert answered < 0.5
        assert terminal.cpu_seconds() < 3.0
        assert terminal.resident_bytes() < 100e6
        assert terminal.read(0.6) == 0


def test_a_live_run_costs_little(live_run: RunDirectory) -> None:
    with live_run.metrics.open("a", encoding="utf-8") as file:
        file.write('{"event":"train_begin","global_step":0,"max_steps":6000}\n')
        file.write("".join(map(line, range(1, 3101))))
    with Terminal("attach", "latest", columns=160, rows=45, env={"SSH_TTY": "/dev/pts/0"}) as terminal:
        terminal.wait_for("┤")
        terminal.wait_gone("reading …")
        terminal.read(0.6)
        used, before, began = terminal.cpu_seconds(), terminal.received, time.monotonic()
        with live_run.metrics.open("a", encoding="utf-8", buffering=1) as file:
            for step in range(3101, 3116):
                file.write(line(step))
                terminal.read(0.1)
        terminal.wait_for("step 3,115")
        seconds = time.monotonic() - began
        # Targets are 3 % and 5 kB/s.
        assert (terminal.cpu_seconds() - used) / seconds < 0.15
        assert (terminal.received - before) / seconds < 10_000


def test_a_chart_follows_a_run_and_holds_still(live_run: RunDirectory) -> None:
    write_events(live_run, *({"event": "log", "global_step": step, "loss": 4 - step / 100} for step in range(1, 41)))
    with Terminal("attach", "latest", columns=80, rows=24) as terminal:
        terminal.wait_for("loss  3.6")
        terminal.press("\r")
        terminal.wait_for("1 of 1")
        terminal.press("\x1b[D+")
        terminal.wait_for("held")
        write_events(live_run, {"event": "log", "global_step": 41, "loss": 9.5})
        terminal.read(0.6)
        assert "step 40" in terminal.screen.text
        terminal.press(" f")
        terminal.wait_for("loss  9.5")


def test_a_folder_that_goes_away(live_run: RunDirectory) -> None:
    write_events(live_run, {"event": "log", "global_step": 40, "loss": 2})
    with Terminal("attach", "latest", columns=100) as terminal:
        terminal.wait_for("┤")
        shutil.rmtree(live_run.path)
        terminal.wait_for("Its folder is gone")
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("name", ["log.jsonl", "."])
def test_another_programs_log(name: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"loss": 2.5, "step": 1}\n{"loss": 2.25, "step": 2}\n', encoding="utf-8")
    with Terminal("attach", str(tmp_path / name)) as terminal:
        terminal.wait_for("loss  2.25")
        with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"loss": 1.75, "step": 3}\n')
        terminal.wait_for("loss  1.75")


def test_a_file_that_is_no_log_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n", encoding="utf-8")
    with Terminal("attach", str(tmp_path / "notes.txt"), columns=200) as terminal:
        assert terminal.wait() == 2
        assert "notes.txt holds no training log" in terminal.screen.text


def test_plain_and_small(live_run: RunDirectory) -> None:
    write_events(live_run, *({"event": "log", "global_step": step, "loss": 4 - step / 20} for step in range(1, 41)))
    plain = {"NO_COLOR": "1", "LANG": "C", "TERM": "xterm", "COLORTERM": None}
    with Terminal("attach", "latest", columns=60, rows=18, env=plain) as terminal:
        terminal.wait_for("loss  2")
        assert "step 40 of 120" in terminal.screen.text
        assert terminal.screen.text.isascii()
        for columns, rows in ((61, 18), (160, 45), (30, 8), (80, 24)) * 5:
            terminal.resize(columns, rows)
            terminal.read(0.01)
        terminal.wait_for("Esc back")
        terminal.press("\r")
        terminal.wait_for("1 of 1")
