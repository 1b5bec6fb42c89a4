from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest

from inft.config import Config
from inft.machine.processes import this_process
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.status import Cause, Pids, Status
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui
from tests.runs.pretend import change_record, dead_process, new_run, working, write_events, write_status


@pytest.fixture
def some(config: Config) -> list[RunDirectory]:
    """A finished run, one that was killed, one that trains and one that has come to a stop."""
    runs = [new_run(config, f"2025-03-0{day} 12:00:00") for day in (1, 2, 3, 4)]
    write_status(runs[0], Status("finished", step=120, max_steps=120, exit_code=0))
    write_status(runs[1], working(dead_process()))
    # The test itself plays the supervisor.
    write_status(runs[2], Status("training", Pids(this_process(), dead_process()), step=1234, max_steps=20000))
    write_status(runs[3], Status("training", Pids(this_process()), step=3), uptime=0.0)
    write_events(
        runs[0], events.log(global_step=120, loss=2.93125), events.train_end(state="finished", global_step=120)
    )
    return runs


def test_a_line_for_each_run_the_newest_last(some: list[RunDirectory]) -> None:
    done = inft_tui("runs")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["run", "state", "step", "loss", "age"]
    assert [line[0] for line in lines[1:]] == [run.run_id for run in some]
    assert [line[1] for line in lines[1:]] == ["finished", "failed", "training", "training"]
    assert lines[1][2:4] == ["120/120", "2.931"]
    assert lines[2][2] == "40/120"
    assert lines[2][-1] == "killed"
    assert lines[3][2] == "1,234/20,000"
    assert lines[4][-4:-2] == ["stalled", "for"]


def test_columns_are_aligned_and_narrow(some: list[RunDirectory]) -> None:
    lines = inft_tui("runs").stdout.splitlines()
    at = lines[0].index("state")
    assert all(line[at - 2 : at] == "  " and line[at] != " " for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("state", "count"), [("finished", 1), ("failed", 1), ("training", 2), ("live", 2), ("stalled", 1), ("stopped", 0)]
)
def test_only_some(some: list[RunDirectory], state: str, count: int) -> None:
    found = json.loads(inft_tui("runs", "--state", state, "--json").stdout)["runs"]
    assert len(found) == count


def test_none_is_said(project: Path) -> None:
    assert inft_tui("runs").stdout == f"There are no runs in {project}/logs.\n"
    assert "no runs that are failed" in inft_tui("runs", "--state", "failed").stdout
    assert json.loads(inft_tui("runs", "--json").stdout) == {"runs": []}


def test_no_such_state(project: Path) -> None:
    done = inft_tui("runs", "--state", "dead")
    assert (done.returncode, done.stdout) == (2, "")
    assert "finished" in done.stderr


def test_as_json(some: list[RunDirectory]) -> None:
    first, killed, *_ = json.loads(inft_tui("runs", "--json").stdout)["runs"]
    assert (first["run_id"], first["state"], first["loss"], first["exit_code"]) == (
        some[0].run_id,
        "finished",
        2.93125,
        0,
    )
    assert (killed["alive"], killed["cause"]["kind"], killed["step"]) == (False, "killed", 40)
    assert killed["created"] == "2025-03-02T12:00:00.000Z"


def test_damaged_and_foreign_ones_are_shown(some: list[RunDirectory]) -> None:
    some[0].run_json.write_text("{")
    some[1].status_json.write_text("{")
    change_record(some[2], schema_version=99)
    some[3].run_json.unlink()
    some[3].run_json.mkdir()
    done = inft_tui("runs")
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["damaged", "failed", "damaged", "unreadable"]
    assert "newer inft" in done.stdout


def test_a_log_folder_that_cannot_be_read(project: Path) -> None:
    (project / "logs").write_text("")
    done = inft_tui("runs", "--json")
    assert done.returncode == 7
    assert json.loads(done.stdout)["kind"] == "disk"
    assert "Could not read" in done.stderr


def test_another_folder(some: list[RunDirectory], project: Path) -> None:
    (project / "logs").rename(project / "other")
    assert len(inft_tui("runs", "--logs", str(project / "other")).stdout.splitlines()) == 5


def test_nothing_in_a_run_reaches_the_terminal_as_a_command(some: list[RunDirectory], project: Path) -> None:
    bad = some[0].path.rename(project / "logs" / "bad\x1b[31m\x9b2J\u202ename\n\x07")
    cause = Cause("bad\x1b[2J", "m\x1b]0;title\x07", "f\u2066", ("tail\x1b[31m",))
    write_status(RunDirectory(bad), Status("failed", exit_code=70, cause=cause))
    for arguments in (
        ["runs"],
        ["runs", "--json"],
        ["status", str(bad)],
        ["status", str(bad), "--json"],
        ["status", "b"],
    ):
        terminal = Terminal(*COMMAND, *arguments, columns=200)
        terminal.wait()
        shown = terminal.output.replace("\r\n", "")
        assert "bad\\x1b" in shown or "bad\\u001b" in shown, arguments
        assert not [c for c in shown if not c.isprintable()], arguments


def test_fifty_runs_are_listed_soon(config: Config) -> None:
    line = events.log(global_step=1, loss=2.5, learning_rate=1e-4, elapsed_sec=1.0)
    for number in range(50):
        run = new_run(config, f"2025-03-01 12:00:{number:02}")
        write_events(run, *[line | {"global_step": step} for step in range(1000)])
        write_status(run, Status("finished", step=1000, max_steps=1000, exit_code=0))
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = inft_tui("runs")
        times.append(time.perf_counter() - began)
        assert len(done.stdout.splitlines()) == 51
    # 0.22 s on a quiet machine, where 0.4 s are promised; tests share theirs.
    assert statistics.median(times) < 1.2
