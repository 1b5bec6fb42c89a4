from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inft.config import Config
from inft.machine.boot import uptime
from inft.runs import control
from inft.runs.directory import RunDirectory
from inft.runs.inspect import inspect
from inft.runs.locks import OutputLocks
from inft.runs.status import Status
from tests.inft_tui.programs import HEADLESS, Terminal, headless, kill, only_run, over_pipes, started, wait_for
from tests.runs.pretend import new_run, write_status


def stop(run: RunDirectory) -> None:
    control.ask(run, "stop")
    wait_for(run, "stopped")


INTERRUPTED = """
import signal
import inft_tui.launching as launching
start = launching.start_supervisor
def start_and_type(*arguments, **options):
    supervisor = start(*arguments, **options)
    signal.raise_signal(signal.SIGINT)
    return supervisor
launching.start_supervisor = start_and_type
"""
NO_LINK = """
import inft_tui.launching as launching
from inft.errors import disk_error
def fail(*arguments):
    raise disk_error(OSError(28, "No space left on device"), "trainer_x.jsonl")
launching.link_latest = fail
"""


def variant(change: str, *options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A headless run in a process in which something was changed before."""
    return over_pipes([sys.executable, "-c", f"import sys\n{change}{HEADLESS}", *options], env)


class TestPipe:
    def test_a_run_is_told_in_lines_and_summed_up(self, project: Path) -> None:
        done = headless()
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        run = only_run(project)
        assert lines[0].startswith(f"Run {run.run_id}, pid ")
        assert "downloading: 3 B of 3 B, done" in lines
        assert "warning: Skipped 2 rows. See samples." in lines
        assert "step 5 of 5, loss 0.8, epoch 1, 12.5 samples/s" in lines
        summary = lines[lines.index("") + 1 :]
        assert summary[0].startswith("Finished after ")
        assert summary[1] == "  loss      4 -> 0.8 over 5 steps"
        assert summary[2] == f"  adapters  {project}/outputs/aya/basic/best"
        assert summary[-2:] == ["  si   රතු [bold]", "       ගුවන්\\x1b[31m"]
        assert "\x1b" not in done.stdout
        link = project / "logs" / "trainer_qlora-lora-aya8b.jsonl"
        assert link.read_text() == run.metrics.read_text()

    def test_json_is_the_events_and_nothing_else(self, project: Path) -> None:
        done = headless("--json", env={"STAND_IN": "nan", "LC_ALL": "C"})
        assert done.returncode == 0
        assert done.stdout == (only_run(project).metrics).read_text(encoding="utf-8")
        events = [json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines()]
        assert events[-1]["event"] == "train_end"
        assert any(event.get("nonfinite") == ["loss"] for event in events)
        assert done.stderr.startswith("Run small-")

    def test_a_failed_run_says_why_once_and_gives_its_code(self, project: Path) -> None:
        done = headless(env={"STAND_IN": "fail"})
        assert done.returncode == 6
        run = only_run(project)
        assert done.stderr.splitlines() == [
            "error: No row of split train can be used.",
            "  Choose another split.",
            f"  Its log is {run.console_log}.",
        ]
        assert "No row" not in done.stdout

    def test_a_failed_run_s_alert_comes_once_in_json_too(self, project: Path) -> None:
        done = headless("--json", env={"STAND_IN": "fail"})
        assert done.returncode == 6
        alerts = [json.loads(line) for line in done.stdout.splitlines() if '"alert"' in line]
        assert [(alert["level"], alert["kind"]) for alert in alerts] == [("error", "data")]

    @pytest.mark.parametrize(("behaviour", "words"), [("kill", "signal 9"), ("crash", "exited with code 1")])
    def test_a_trainer_that_could_not_say_why(self, project: Path, behaviour: str, words: str) -> None:
        done = headless("--json", env={"STAND_IN": behaviour})
        assert done.returncode == 70
        last = json.loads(done.stdout.splitlines()[-1])
        assert (last["event"], last["level"]) == ("alert", "error")
        assert words in last["message"]
        assert words in done.stderr
        assert "console.log" in done.stderr
        assert {"kill": "a line for console.log", "crash": "RuntimeError: before"}[behaviour] in done.stderr
        assert "Traceback (most" not in done.stdout

    def test_detach_leaves_the_run_and_ends_with_its_id(self, project: Path) -> None:
        done = headless("--detach", env={"STAND_IN": "slow"})
        run = only_run(project)
        assert done.returncode == 0
        assert done.stdout.split()[-1] == run.run_id
        assert f"inft-tui stop {run.run_id}" in done.stderr
        wait_for(run, "training")
        stop(run)

    def test_detach_in_json(self, project: Path) -> None:
        done = headless("--detach", "--json", env={"STAND_IN": "slow"})
        run = only_run(project)
        facts = json.loads(done.stdout)
        assert (facts["run_id"], facts["path"]) == (run.run_id, str(run.path))
        supervisor = wait_for(run, "training").pids.supervisor
        assert supervisor is not None
        assert facts["pid"] == supervisor.pid
        stop(run)

    def test_a_second_run_for_the_same_folders_is_refused_and_leaves_nothing(self, project: Path) -> None:
        run = started()
        done = headless()
        assert done.returncode == 2
        assert f"Run {run.run_id} " in done.stderr
        assert f"inft-tui stop {run.run_id}" in done.stderr
        assert only_run(project).run_id == run.run_id
        link = project / "logs" / "trainer_qlora-lora-aya8b.jsonl"
        assert link.resolve() == run.metrics.resolve()
        stop(run)
        assert headless().returncode == 0  # and the folders are free again, as soon as it has ended

    def test_it_is_followed_to_its_end_without_its_supervisor(self, project: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", HEADLESS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STAND_IN": "slow"},
        )
        assert process.stdout is not None
        while "samples/s" not in process.stdout.readline():
            pass
        run = only_run(project)
        kill(run, "supervisor")
        time.sleep(0.5)
        assert process.poll() is None
        stop(run)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Stopped after" in output
        assert "Stopped on request." in errors

    def test_it_ends_when_nobody_is_left_to_say_how(self, project: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", HEADLESS, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STAND_IN": "slow"},
        )
        assert process.stdout is not None
        while '"log"' not in process.stdout.readline():
            pass
        kill(only_run(project), "supervisor", "trainer")
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 70
        assert json.loads(output.splitlines()[-1])["kind"] == "killed"
        assert "gone without a word" in errors

    def test_a_log_of_another_program_is_left_alone_and_named(self, project: Path) -> None:
        (project / "logs").mkdir()
        old = project / "logs" / "trainer_qlora-lora-aya8b.jsonl"
        old.write_text("old")
        done = headless()
        assert done.returncode == 0
        assert old.read_text() == "old"
        assert "warning:" in done.stderr

    def test_a_disk_that_takes_nothing(self, project: Path) -> None:
        (project / "logs").write_text("a file where the folder should be")
        refused = headless("--json")
        assert refused.returncode == 3
        assert "The run's logs cannot be written" in json.loads(refused.stdout)["message"]
        done = headless("--json", "--force")
        assert done.returncode == 7
        assert json.loads(done.stdout)["kind"] == "disk"

    def test_a_reader_that_leaves_does_not_end_the_run(self, project: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", HEADLESS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "STAND_IN": "slow"},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=30) == 0
        assert "Training goes on" in errors
        assert "Traceback" not in errors
        stop(only_run(project))

    @pytest.mark.parametrize("options", [(), ("--detach",)])
    def test_ctrl_c_while_it_starts_leaves_the_run(self, project: Path, options: tuple[str, ...]) -> None:
        done = variant(INTERRUPTED, *options, env={"STAND_IN": "slow"})
        assert done.returncode == 0, done.stderr
        assert "Training goes on without this terminal" in done.stderr
        run = only_run(project)
        assert f"inft-tui stop {run.run_id}" in done.stderr
        assert wait_for(run, "training")
        stop(run)

    def test_no_process_can_be_started(self, project: Path) -> None:
        done = variant("sys.executable = '/nowhere/python'\n")
        assert done.returncode == 3
        assert done.stderr.startswith("error: The run's supervisor could not be started: no such file")
        assert [path for path in (project / "logs").iterdir() if path.is_dir()] == []

    def test_a_link_that_cannot_be_made_costs_only_the_link(self, project: Path) -> None:
        done = variant(NO_LINK)
        assert done.returncode == 0
        assert done.stderr.startswith("warning: Could not write trainer_x.jsonl")
        assert wait_for(only_run(project), "finished")

    def test_a_run_that_waits_for_its_folders_is_queued(self, project: Path, config: Config) -> None:
        ended = new_run(config, "2025-03-01 12:00:00")
        write_status(ended, Status("finished", exit_code=0))
        with OutputLocks.acquire([project / config.output_dir], ended):  # its processes have yet to go
            process = subprocess.Popen(
                [sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            end = time.monotonic() + 20
            while not (
                others := [path for path in (project / "logs").glob("*/status.json") if path.parent != ended.path]
            ):
                assert time.monotonic() < end
                time.sleep(0.05)
            run = RunDirectory(others[0].parent)
            write_status(run, Status("queued", wait_for(run, "queued").pids), uptime=uptime() - 100)  # time passes
            found = inspect(run)
            assert (found.state, found.alive) == ("queued", True)
            assert found.pids.supervisor is not None
            assert found.pids.supervisor.pid == process.pid
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert f"Run {run.run_id}" in output

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_streams(self, project: Path, closed: str) -> None:
        program = project / "headless.py"
        program.write_text(HEADLESS)
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" "$1" {closed}', sys.executable, str(program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        run = only_run(project)
        assert done.returncode == 0
        assert done.stderr == ""
        assert wait_for(run, "finished").exit_code == 0
        assert b"Run small" not in run.console_log.read_bytes() + run.metrics.read_bytes()

    def test_a_full_disk_behind_stdout_leaves_the_run(self, project: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-c", HEADLESS],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "STAND_IN": "slow"},
                timeout=60,
                check=False,
            )
        assert done.returncode == 7
        assert "Training goes on" in done.stderr
        assert "error: Could not write the output: no space left" in done.stderr
        run = only_run(project)
        wait_for(run, "training")
        stop(run)


class TestTerminal:
    @pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 18), (30, 10), (200, 50)])
    def test_a_run_is_drawn_and_summed_up(self, project: Path, columns: int, rows: int) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, columns=columns, rows=rows)
        assert terminal.wait() == 0
        assert "Finished after" in terminal.text
        for stage in ("downloading", "loading weights", "preparing data", "training", "saving"):
            assert stage in terminal.text
        assert "[bold]" in terminal.text
        assert "warning: Skipped 2 rows" in terminal.text
        assert ("━" in terminal.text) == (columns >= 64)
        assert terminal.output.rindex("\x1b[?25h") > terminal.output.rindex("\x1b[?25l")
        assert "\x1b[31m" not in terminal.output.split("Captions")[1]

    def test_the_last_drawing_shows_the_last_numbers(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS)
        assert terminal.wait() == 0
        drawing = terminal.text[: terminal.text.index("Finished after")]
        last = drawing[drawing.rindex("training") :]
        assert "5 of 5 steps" in last
        assert "loss 0.8  12.5 samples/s" in last

    def test_ctrl_c_leaves_and_says_how_to_stop(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env={"STAND_IN": "slow"})
        terminal.read_until("samples/s")
        run = only_run(project)
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert "Training goes on without this terminal" in terminal.text
        assert f"inft-tui stop {run.run_id}" in terminal.text
        assert f"inft-tui tail -f {run.run_id}" in terminal.text
        assert terminal.output.rindex("\x1b[?25h") > terminal.output.rindex("\x1b[?25l")
        assert inspect(run).supervised
        stop(run)

    @pytest.mark.parametrize("options", [(), ("--json",)])
    @pytest.mark.parametrize("nohup", [False, True])
    def test_a_lost_terminal_leaves_the_run(self, project: Path, nohup: bool, options: tuple[str, ...]) -> None:
        program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{HEADLESS}" if nohup else HEADLESS
        terminal = Terminal(sys.executable, "-c", program, *options, env={"STAND_IN": "slow"})
        terminal.read_until("samples" if options else "samples/s")
        run = only_run(project)
        terminal.vanish()
        assert terminal.process.wait(timeout=20) == (0 if nohup else 129)
        before = run.metrics.stat().st_size
        time.sleep(0.3)
        found = inspect(run)
        assert (found.state, found.supervised, found.training) == ("training", True, True)
        assert run.metrics.stat().st_size > before
        stop(run)

    def test_the_death_of_its_session_leaves_the_run(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env={"STAND_IN": "slow"})
        terminal.read_until("samples/s")
        run = only_run(project)
        os.killpg(terminal.process.pid, signal.SIGKILL)
        assert terminal.wait() == -signal.SIGKILL
        time.sleep(0.3)
        assert inspect(run).supervised
        stop(run)
        events = [json.loads(line) for line in run.metrics.read_text().splitlines()]
        steps = [event["global_step"] for event in events if event["event"] == "log"]
        assert steps == list(range(1, len(steps) + 1))

    def test_sigterm_gives_the_cursor_back(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env={"STAND_IN": "slow"})
        terminal.read_until("samples/s")
        run = only_run(project)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 143
        assert "inft-tui stop" in terminal.text
        assert terminal.output.rindex("\x1b[?25h") > terminal.output.rindex("\x1b[?25l")
        stop(run)

    def test_a_stopped_run_gives_130(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env={"STAND_IN": "slow"})
        terminal.read_until("samples/s")
        stop(only_run(project))
        assert terminal.wait() == 130
        assert "Stopped after" in terminal.text
        assert "Stopped on request." in terminal.text

    def test_it_is_not_chatty(self, project: Path) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env={"STAND_IN": "slow"})
        terminal.read_until("samples/s")
        before, began = len(terminal.output), time.monotonic()
        while time.monotonic() < began + 2:
            terminal.read(0.1)
        assert (len(terminal.output) - before) / (time.monotonic() - began) < 5000  # bytes a second, at 50 events
        stop(only_run(project))
        terminal.wait()

    @pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
    def test_poor_terminals(self, project: Path, env: dict[str, str]) -> None:
        terminal = Terminal(sys.executable, "-c", HEADLESS, env=env)
        assert terminal.wait() == 0
        assert "Finished after" in terminal.text
        if "TERM" in env:
            assert "\x1b" not in terminal.output
        if "NO_COLOR" in env:
            assert "\x1b[3" not in terminal.output
