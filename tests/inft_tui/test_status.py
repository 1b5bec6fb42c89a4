from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs import control, events
from inft.runs.directory import Origin, RunDirectory
from inft.runs.locks import OutputLocks
from inft.runs.saved import checkpoint_folder
from inft.runs.status import Cause, Status
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui, kill, started, wait_for
from tests.runs.pretend import (
    change_record,
    dead_process,
    new_run,
    save_checkpoint,
    working,
    write_events,
    write_status,
)


def rows(output: str) -> dict[str, str]:
    """What stands behind each label."""
    return {line[:14].strip(): line[16:] for line in output.splitlines()[1:] if line[2:3].strip()}


class TestRealRuns:
    def test_training(self, project: Path) -> None:
        run = started()
        done = inft_tui("status")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == run.run_id
        shown = rows(done.stdout)
        assert shown["state"].startswith("training, step ")
        assert " of 10,000, 12.5 samples/s, loss " in shown["state"]
        pids = wait_for(run, "training").pids
        assert pids.trainer is not None
        assert pids.supervisor is not None
        assert shown["processes"] == f"trainer {pids.trainer.pid}, supervisor {pids.supervisor.pid}"
        control.ask(run, "stop")
        wait_for(run, "stopped")
        assert rows(inft_tui("status").stdout)["state"].startswith("stopped")

    def test_without_its_supervisor(self, project: Path) -> None:
        run = started()
        kill(run, "supervisor")
        shown = rows(inft_tui("status", run.run_id).stdout)
        assert shown["state"].startswith("training, step ")
        assert "supervisor" in shown["processes"]
        assert "is gone. Training goes on" in shown["processes"]
        facts = json.loads(inft_tui("status", "--json").stdout)["condition"]
        assert (facts["alive"], facts["supervised"], facts["training"]) == (True, False, True)

    def test_killed(self, project: Path) -> None:
        run = started()
        saved = save_checkpoint(run, 40)
        kill(run, "supervisor", "trainer")
        shown = rows(inft_tui("status", run.run_id).stdout)
        assert shown["state"].startswith("failed after step ")
        assert "gone without a word" in shown["cause"]
        assert f"inft-tui resume {run.run_id}" in shown["what to do"]
        assert shown["checkpoint"] == f"step 40, {saved.path}"
        assert "    a line for console.log: ශ්‍රී" in inft_tui("status", run.run_id).stdout.splitlines()

    def test_watched_to_its_end_through_a_pipe(self, project: Path) -> None:
        run = started()
        process = subprocess.Popen([*COMMAND, "status", "--watch"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = []
        while not any("training, step" in line for line in lines):
            lines.append(process.stdout.readline())
        control.ask(run, "stop")
        output, _ = process.communicate(timeout=30)
        lines += output.splitlines(keepends=True)
        assert process.returncode == 130
        assert lines.count(f"{run.run_id}\n") == 1
        assert not any("heartbeat" in line for line in lines)
        assert "  state         stopped" in output

    def test_watched_on_a_terminal_it_is_redrawn_in_place(self, project: Path) -> None:
        run = started()
        terminal = Terminal(*COMMAND, "status", "--watch", run.run_id)
        terminal.read_until("A\r\n")
        assert "\x1b[6A\r\n\r" in terminal.output  # up, past the unchanged first line, over the second
        before, began = len(terminal.output), time.monotonic()
        while time.monotonic() < began + 2:
            terminal.read(0.1)
        assert (len(terminal.output) - before) / (time.monotonic() - began) < 2000  # bytes a second
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.text
        wait_for(run, "training")

    def test_watching_a_run_that_stands_still_draws_nothing(self, project: Path) -> None:
        run = started("stubborn")
        status = wait_for(run, "training")
        assert status.pids.trainer is not None
        os.kill(status.pids.trainer.pid, 19)  # SIGSTOP
        terminal = Terminal(*COMMAND, "status", "--watch")
        terminal.read_until("folder")
        while terminal.read(1.0):
            pass
        began, before = time.monotonic(), len(terminal.output)
        while time.monotonic() < began + 2:
            terminal.read(0.2)
        assert len(terminal.output) == before
        terminal.type("\x03")
        assert terminal.wait() == 0


class TestWritten:
    def test_a_failure_in_its_own_words(self, run: RunDirectory) -> None:
        cause = Cause("data", "No row can be used.", "Choose another split.", ())
        write_status(run, Status("failed", step=0, exit_code=6, cause=cause))
        done = inft_tui("status")
        assert done.returncode == 0
        shown = rows(done.stdout)
        assert (shown["state"], shown["cause"]) == ("failed", "No row can be used.")
        assert shown["what to do"] == "Choose another split."
        assert "processes" not in shown

    def test_where_it_came_from_and_who_goes_on(self, config: Config) -> None:
        first = new_run(config, "2025-03-01 12:00:00")
        second = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, Path("x")))
        save_checkpoint(first, 40)
        for run in (first, second):
            write_status(run, working(dead_process()))
        assert rows(inft_tui("status", first.run_id).stdout)["goes on in"] == second.run_id
        shown = rows(inft_tui("status", second.run_id).stdout)
        assert shown["goes on from"] == first.run_id
        assert shown["checkpoint"].startswith(f"step 40 of {first.run_id}, ")

    def test_another_machine(self, run: RunDirectory) -> None:
        change_record(run, host="node7", boot_id="other")
        write_status(run, working(dead_process()), heartbeat="2025-03-01T12:00:00.000Z")
        shown = rows(inft_tui("status").stdout)
        assert "no sign of progress for" in shown["state"]
        assert "on node7; from here only the heartbeat tells" in shown["processes"]

    def test_as_json(self, run: RunDirectory) -> None:
        write_events(run, events.log(global_step=40, loss=3.0))
        saved = save_checkpoint(run, 40)
        write_status(run, working(dead_process(), dead_process()))
        found = json.loads(inft_tui("status", "--json").stdout)
        assert (found["run_id"], found["path"]) == (run.run_id, str(run.path))
        assert found["status"] == json.loads(run.status_json.read_bytes())
        condition = found["condition"]
        assert (condition["state"], condition["alive"], condition["elsewhere"]) == ("failed", False, False)
        assert condition["cause"]["kind"] == "killed"
        assert condition["checkpoint"] == {"step": 40, "path": str(saved.path), "run_id": run.run_id}

    def test_on_80_columns_nothing_is_wider(self, run: RunDirectory) -> None:
        run.console_log.write_text("x" * 300 + "\n")
        save_checkpoint(run, 40)
        write_status(run, working(dead_process(), dead_process()))
        terminal = Terminal(*COMMAND, "status")
        assert terminal.wait() == 0
        lines = terminal.text.splitlines()
        assert max(len(line) for line in lines if "/" not in line) <= 80  # a path is not broken
        assert any(line.startswith(" " * 16) for line in lines)


class TestBadInput:
    @pytest.mark.parametrize("command", ["status", "tail", "save", "stop", "abort", "resume"])
    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            ("unknown", "There is no run"),
            ("damaged", "is damaged"),
            ("newer", "newer inft"),
            ("no run", "no run's folder"),
        ],
    )
    def test_one_sentence_and_2(self, run: RunDirectory, project: Path, command: str, damage: str, words: str) -> None:
        name = run.run_id
        if damage == "unknown":
            name = "nothing"
        elif damage == "damaged":
            run.run_json.write_text('{"schema_version": 1')
        elif damage == "newer":
            change_record(run, schema_version=99)
        else:
            name = str(project / "profiles")
        done = inft_tui(command, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert not run.control.exists()

    @pytest.mark.parametrize("command", ["status", "tail", "save", "stop", "abort", "resume"])
    def test_unreadable_is_7(self, run: RunDirectory, command: str) -> None:
        run.run_json.unlink()
        run.run_json.mkdir()  # even root may not read a folder
        done = inft_tui(command, run.run_id)
        assert (done.returncode, done.stdout) == (7, "")
        assert done.stderr.startswith("error: Could not read")

    def test_ambiguous(self, config: Config) -> None:
        for hour in (12, 13):
            new_run(config, f"2025-03-01 {hour}:00:00")
        done = inft_tui("stop", "small")
        assert done.returncode == 2
        assert "small-20250301-120000, small-20250301-130000" in done.stderr

    def test_a_run_in_another_container(self, project: Path) -> None:
        """Only its namespace of processes is another, as with two containers that share the host's name."""
        inside = ["unshare", "--pid", "--fork", *COMMAND, "status", "--json"]
        run = started()
        done = subprocess.run([*inside, run.run_id], capture_output=True, text=True, check=False)
        if "unshare:" in done.stderr:
            pytest.skip("this user may not make one")
        condition = json.loads(done.stdout)["condition"]
        assert (condition["alive"], condition["training"], condition["elsewhere"]) == (True, True, False)
        kill(run, "supervisor", "trainer")
        done = subprocess.run([*inside, run.run_id], capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["condition"]["cause"]["kind"] == "killed"

    def test_a_damaged_status(self, run: RunDirectory, config: Config) -> None:
        run.status_json.write_text("{")
        with OutputLocks.acquire([checkpoint_folder(run, config)], run):
            done = inft_tui("status", "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["kind"] == "configuration"
        done = inft_tui("status")  # now nobody works on it
        assert done.returncode == 0
        assert "status.json is damaged or gone" in done.stdout
        run.status_json.unlink()

    def test_another_user_s_run(self, config: Config, project: Path) -> None:
        theirs, ours = new_run(config, "2025-03-02 12:00:00"), new_run(config, "2025-03-01 12:00:00")
        write_status(ours, Status("finished", exit_code=0))
        (project / "logs" / "trainer_x.jsonl").symlink_to(f"{theirs.run_id}/metrics.jsonl")
        theirs.path.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(theirs.path, 65534, 65534)
        else:
            theirs.path.chmod(0)
        commands = [(command, theirs.run_id) for command in ("status", "tail", "save", "stop", "abort", "resume")]
        for command, name in (*commands, ("status", str(theirs.path)), ("status", str(theirs.metrics))):
            done = as_a_stranger(command, name)
            assert (done.returncode, done.stdout) == (7, ""), (command, name)
            assert done.stderr.startswith("error: Could not read ")
        assert [line.split()[1] for line in as_a_stranger("runs").stdout.splitlines()] == [
            "state",
            "finished",
            "unreadable",
        ]
        assert as_a_stranger("status").stdout.startswith(ours.run_id)
        theirs.path.chmod(0o700)


def as_a_stranger(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command by somebody who may not read everything: root without the capabilities that let it."""
    if os.geteuid() != 0:
        return inft_tui(*arguments)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    less = "-dac_override,-dac_read_search"
    return subprocess.run(
        [setpriv, f"--bounding-set={less}", f"--inh-caps={less}", *COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
