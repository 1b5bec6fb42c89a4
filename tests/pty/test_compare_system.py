"""Compare and System on a terminal."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from inft.config import Config
from inft.machine.processes import is_alive, process_of
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.inft_tui.system.test_machine import soon
from tests.pty.terminal import Terminal
from tests.pty.test_display import colours_of
from tests.runs.pretend import new_run, write_events, write_status


def samplers_below(folder: Path) -> list[int]:
    """The processes that write samples below a folder for temporary files."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if "inft_tui.system.sampler" in command and str(folder) in command:
                found.append(int(entry.name))
    return found


def test_marked_runs_are_compared(old_run: RunDirectory, live_run: RunDirectory, config: Config) -> None:
    third = new_run(config, "2025-03-03 12:00:00")
    write_events(third, {"event": "log", "global_step": 1, "loss": 5.0})
    write_status(third, Status("stopped", step=1, max_steps=20, exit_code=130))
    write_events(live_run, *({"event": "log", "global_step": step, "loss": 3.0} for step in range(1, 41)))
    with Terminal(columns=120, rows=36) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("j  ")
        terminal.wait_for("2 marked")
        assert [line[:1] for line in terminal.screen.lines if "small-2025" in line[:40]][:3] == [" ", "+", "+"]
        terminal.press("4")
        terminal.wait_for("All parameters are the same.")
        text = terminal.screen.text
        assert third.run_id not in text
        assert "A ━━ " + live_run.run_id in text
        assert "B ━━ " + old_run.run_id in text
        write_events(live_run, {"event": "log", "global_step": 41, "loss": 0.125})
        terminal.wait_for("0.125")
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "env"),
    [(("--glyphs", "ascii"), {"NO_COLOR": "1"}), (("--theme", "light"), {"LANG": "C", "COLORTERM": None})],
)
def test_compare_on_a_small_plain_terminal(
    arguments: tuple[str, ...], env: dict[str, str | None], old_run: RunDirectory, live_run: RunDirectory
) -> None:
    write_events(live_run, *({"event": "log", "global_step": step, "loss": 3.0} for step in range(1, 41)))
    with Terminal(*arguments, columns=60, rows=18, env=env) as terminal:
        terminal.wait_for("finished")
        terminal.press("4")
        terminal.wait_for("All parameters are the same.")
        if "NO_COLOR" in env:
            assert colours_of(terminal.output) == set()
        else:
            assert terminal.output.isascii()
        # Without colours or fine dots each curve has its own character.
        assert "A **" in terminal.screen.text
        assert "B oo" in terminal.screen.text
        chart = "".join(terminal.screen.lines[5:12])
        assert "***" in chart
        assert "oo" in chart
        assert chart.isascii()


def test_this_machine_is_sampled_as_long_as_the_console_lasts(old_run: RunDirectory, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with Terminal(columns=120, rows=40, env={"TMPDIR": str(folder), "CUDA_VISIBLE_DEVICES": "-1"}) as terminal:
        terminal.wait_for(old_run.run_id)
        assert samplers_below(folder) == []
        terminal.press("6")
        terminal.wait_for("host memory  ")
        terminal.wait_for("● cpu ")
        assert "cores" in terminal.screen.text
        assert str(folder) in terminal.screen.text, "one of the folders that matter"
        (pid,) = samplers_below(folder)
        sampler = process_of(pid)
        assert sampler is not None
        terminal.press("2")
        terminal.wait_for(old_run.run_id)
        assert is_alive(sampler), "its history goes on"
        terminal.signal(signal.SIGKILL)
        terminal.wait()
    soon(lambda: not is_alive(sampler))
    soon(lambda: list(folder.glob("inft-*")) == [])


def test_the_history_of_a_live_run_is_that_of_its_own_samples(live_run: RunDirectory) -> None:
    gpu = {"index": 0, "uuid": "GPU-1", "name": "NVIDIA H200", "utilization_percent": 96.0, "memory_used_gib": 71.25}
    samples = ({"ts": f"2025-03-02T12:{minute:02}:00.000Z", "event": "hardware", "load_1min": 1.0, "gpus": [gpu]}
               for minute in range(60))  # fmt: skip
    live_run.hardware.write_bytes(b"".join(msgspec.json.encode(sample) + b"\n" for sample in samples))
    with Terminal(columns=160, rows=45, env={"CUDA_VISIBLE_DEVICES": "-1"}) as terminal:
        terminal.wait_for("40/120")
        terminal.press("jk6")
        terminal.wait_for(f"as sampled for {live_run.run_id}")
        terminal.wait_for("96 %")
        assert "NVIDIA H200" in terminal.screen.text
        assert "30m" in terminal.screen.text, "an hour of history"
