"""The Runs screen, as a person uses it."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from inft.config import Config
from inft.runs.control import pending
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.pty.terminal import PROGRAM, Terminal
from tests.runs.pretend import dead_process, new_run, save_checkpoint, working, write_events, write_status


def row_of(terminal: Terminal, run: RunDirectory) -> str:
    """The line of a run."""
    return next(line for line in terminal.screen.lines if run.run_id in line)


def test_it_shows_what_each_run_does(live_run: RunDirectory, old_run: RunDirectory, config: Config) -> None:
    killed = new_run(config, "2025-03-03 12:00:00")
    write_status(killed, working(dead_process()))
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for(old_run.run_id)
        rows = [line for line in terminal.screen.lines if "small-2025" in line[:40] and "──" not in line[:5]]
        assert [run.run_id in row for run, row in zip((killed, live_run, old_run), rows, strict=True)] == [True] * 3
        assert "failed" in rows[0]
        assert "training" in rows[1]
        assert "40/120" in rows[1]
        assert "33%" in rows[1]
        assert "finished" in rows[2]
        assert "█" in rows[2]
        assert "3 runs · 1 going on" in terminal.screen.lines[0]


def test_it_keeps_up(live_run: RunDirectory, config: Config) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("40/120")
        write_events(live_run, {"event": "log", "global_step": 41, "loss": 1.25})
        write_status(live_run, Status("stopped", step=41, max_steps=120, exit_code=130))
        new = new_run(config, "2025-03-04 12:00:00")
        terminal.wait_for("41/120")
        terminal.wait_for(new.run_id)
        assert "1.25" in row_of(terminal, live_run)
        assert f"{live_run.run_id} stopped after step 41 of 120" in terminal.screen.lines[-2]


def test_filter_as_one_types(live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("/fin")
        terminal.wait_gone(live_run.run_id)
        assert old_run.run_id in terminal.screen.text
        terminal.press("x")
        terminal.wait_for("No run has")
        terminal.press("\x1b")
        terminal.wait_for(live_run.run_id)


def test_a_run_in_words(live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("j\ri")
        terminal.wait_for("finished after step 20 of 20, loss 2")
        terminal.press("\x1b")
        terminal.wait_gone("finished after")
        terminal.press("\x1b")
        terminal.wait_for(live_run.run_id)
        terminal.press("k\ri")
        terminal.wait_for("training, step 40 of 120")
        write_status(live_run, Status("stopped", step=44, max_steps=120, exit_code=130))
        terminal.wait_for("stopped after step 44 of 120")


def test_attach(live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal("attach", old_run.run_id) as terminal:
        terminal.wait_for("step 20 of 20")
        terminal.press("\x1b")
        terminal.wait_for(live_run.run_id)
    with Terminal("attach", "small-1999", columns=200) as terminal:
        assert terminal.wait() == 2
        assert terminal.screen.text.startswith('error: There is no run "small-1999"')


@pytest.mark.parametrize("attached", [False, True])
def test_stop_asks_first(attached: bool, live_run: RunDirectory) -> None:
    with Terminal(*(["attach", "latest"] if attached else [])) as terminal:
        terminal.wait_for("40")
        terminal.press("x")
        terminal.wait_for(f"Have {live_run.run_id} save a checkpoint and end?")
        terminal.press("n")
        terminal.wait_gone("save a checkpoint and end?")
        assert pending(live_run) == frozenset()
        terminal.press("xy")
        terminal.wait_until(lambda screen: pending(live_run) == {"stop"}, "the request")


def test_save_is_asked_for_at_once(live_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(live_run.run_id)
        terminal.press("s")
        terminal.wait_until(lambda screen: pending(live_run) == {"save"}, "the request")
        assert "saves after this step" in terminal.screen.lines[-2]
        save_checkpoint(live_run, 41)
        (live_run.control / "save").unlink()
        terminal.wait_for("Saved at step 41")


def test_abort_wants_the_name(live_run: RunDirectory) -> None:
    with Terminal(columns=120) as terminal:
        terminal.wait_for(live_run.run_id)
        terminal.press("X")
        terminal.wait_for(f"type {live_run.run_id}:")
        terminal.press("y\r")
        terminal.read(0.3)
        assert pending(live_run) == frozenset()
        terminal.press("\x15" + live_run.run_id + "\r")
        terminal.wait_until(lambda screen: pending(live_run) == {"abort"}, "the request")


def test_what_cannot_be_done_is_said_at_once(live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal(columns=160) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("jx")
        terminal.wait_for(f"{old_run.run_id} has ended: it is finished.")
        terminal.press("kr")
        terminal.wait_for(f"{live_run.run_id} is still going on, so there is nothing to resume.")
        terminal.press("jXy")
        assert "type" not in terminal.screen.lines[-2]


def test_readonly_has_no_dangerous_half(live_run: RunDirectory) -> None:
    with Terminal("--readonly") as terminal:
        terminal.wait_for(live_run.run_id)
        assert "read only" in terminal.screen.lines[0]
        for key in "sxXr":
            # Where one of them asked something, the help would not open; where one did something, a child would do it.
            terminal.press(f"{key}?")
            terminal.wait_for("Everywhere")
            assert psutil.Process(terminal.process.pid).children() == []
            terminal.press("q")
            terminal.wait_gone("Everywhere")
        assert not live_run.control.exists()
        assert "stop" not in terminal.screen.lines[-1]
        terminal.press("?")
        terminal.wait_for("Everywhere")
        assert "checkpoint" not in terminal.screen.text


def test_the_command_palette(live_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(live_run.run_id)
        terminal.press(":")
        terminal.wait_for("Go to the newest run")
        terminal.press("save and end")
        terminal.wait_gone("Go to the newest run")
        terminal.press("\x15checkpoint end\r")
        terminal.wait_for("save a checkpoint and end?")


def test_own_keys(live_run: RunDirectory, project: Path) -> None:
    (project / ".inft").mkdir()
    (project / ".inft" / "keys.toml").write_text('"runs.stop" = "S"\n', encoding="utf-8")
    with Terminal() as terminal:
        terminal.wait_for("S stop")
        terminal.press("x")
        terminal.read(0.2)
        assert "?" not in terminal.screen.lines[-2]
        terminal.press("S")
        terminal.wait_for("save a checkpoint and end?")


def test_wrong_keys_are_refused_by_name(project: Path) -> None:
    (project / ".inft").mkdir()
    (project / ".inft" / "keys.toml").write_text('"runs.stp" = "S"\n"runs.up" = "hyper+q"\n', encoding="utf-8")
    with Terminal(columns=200) as terminal:
        assert terminal.wait() == 2
        said = terminal.screen.text
        assert '"runs.stp" is no command. Did you mean runs.stop' in said
        assert 'runs.up = "hyper+q" is no key' in said
        assert terminal.screen.restored


def test_no_runs_yet(project: Path) -> None:
    with Terminal("--readonly") as terminal:  # else Launch comes first
        terminal.wait_for("There are no runs yet.")
        assert "inft-tui --headless --profile demo_aya" in terminal.screen.text


def test_the_first_screen_needs_no_heavy_library(old_run: RunDirectory) -> None:
    code = (
        "import atexit, sys\n"
        "heavy = ('torch', 'transformers', 'numpy', 'typer', 'psutil', 'pynvml', 'tomlkit', 'pygments')\n"
        "atexit.register(lambda: print('LOADED', [name for name in heavy if name in sys.modules]))\n"
        "from inft_tui.cli import main; main()"
    )
    with Terminal(program=[PROGRAM[0], "-P", "-c", code]) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("q")
        assert terminal.wait() == 0
        assert "LOADED []" in terminal.screen.text
    assert sys.executable == PROGRAM[0]
