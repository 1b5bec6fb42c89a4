from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from inft.machine.processes import is_alive, process_of
from inft.runs import control
from inft.runs.checkpoints import complete_checkpoints
from inft.runs.directory import RunDirectory
from inft.runs.inspect import inspect
from inft.runs.status import Cause, Status
from tests.inft_tui.programs import COMMAND, SAVING, Terminal, inft_tui, kill, started, wait_for
from tests.runs.pretend import dead_process, move_to_another_machine, working, write_status


@pytest.fixture
def saving(project: Path) -> RunDirectory:
    """A run that trains and can save."""
    return started(TRAINER=SAVING)


def test_save_tells_where_and_the_run_goes_on(saving: RunDirectory, project: Path) -> None:
    done = inft_tui("save", saving.run_id)
    assert done.returncode == 0
    (checkpoint,) = complete_checkpoints(project / "outputs/aya/basic/checkpoints")
    assert done.stdout == f"Saved at step {checkpoint.step}: {checkpoint.path}\n"
    assert done.stderr.startswith(f"Asked {saving.run_id} to save")
    assert inspect(saving).state == "training"


def test_stop_tells_what_was_saved_and_how_to_go_on(saving: RunDirectory, project: Path) -> None:
    done = inft_tui("stop", "latest")
    assert done.returncode == 0
    (checkpoint,) = complete_checkpoints(project / "outputs/aya/basic/checkpoints")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Stopped")
    assert lines[1] == f"Last checkpoint: step {checkpoint.step}, {checkpoint.path}"
    assert lines[2] == f"Go on with `inft-tui resume {saving.run_id}`."
    assert inspect(saving).state == "stopped"


def test_stop_works_without_a_supervisor(saving: RunDirectory) -> None:
    kill(saving, "supervisor")
    assert inft_tui("stop", saving.run_id).returncode == 0
    assert inspect(saving).state == "stopped"


def test_abort(project: Path) -> None:
    run = started()
    began = time.monotonic()
    done = inft_tui("abort", run.run_id)
    assert done.returncode == 0
    assert time.monotonic() - began < 10
    assert done.stdout.splitlines()[0].startswith("Stopped")
    assert inspect(run).exit_code == 130


def test_abort_of_a_trainer_that_hears_nothing_and_has_no_supervisor(project: Path) -> None:
    run = started("stubborn")
    child = process_of(int(run.console_log.read_text().split("child ")[1]))
    assert child is not None
    kill(run, "supervisor")
    done = inft_tui("abort", run.run_id)
    assert done.returncode == 0
    found = inspect(run)
    assert (found.state, found.exit_code, found.recorded) == ("stopped", 130, False)
    assert found.cause is not None
    assert found.cause.kind == "aborted"
    assert not is_alive(child)  # its whole group went


def test_abort_of_a_frozen_trainer_whose_supervisor_is_frozen_too(project: Path) -> None:
    run = started()
    pids = wait_for(run, "training").pids
    assert pids.supervisor is not None
    assert pids.trainer is not None
    for process in (pids.supervisor, pids.trainer):
        os.kill(process.pid, signal.SIGSTOP)
    process = subprocess.Popen([*COMMAND, "abort", run.run_id], stdout=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 30
        while inspect(run).training:
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        os.kill(pids.supervisor.pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.startswith("Stopped")


@pytest.mark.parametrize("request_", ["save", "stop", "abort"])
def test_not_waiting(project: Path, request_: control.Request) -> None:
    run = started("stubborn")
    done = inft_tui(request_, "--no-wait", run.run_id)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"Asked {run.run_id}" in done.stderr
    assert request_ in control.pending(run)


def test_ctrl_c_leaves_the_request_standing(project: Path) -> None:
    run = started("stubborn")
    terminal = Terminal(*COMMAND, "stop", run.run_id)
    terminal.read_until("Asked")
    time.sleep(0.5)
    terminal.type("\x03")
    assert terminal.wait() == 0
    assert "The request stands" in terminal.text
    assert control.pending(run) == {"stop"}
    assert inspect(run).alive


def test_abort_of_a_trainer_that_stays_after_its_last_word(project: Path) -> None:
    run = started("linger")
    wait_for(run, "finished")
    trainer = wait_for(run, "finished").pids.trainer
    assert trainer is not None
    assert inft_tui("stop", run.run_id).returncode == 2
    assert is_alive(trainer)
    done = inft_tui("abort", run.run_id)
    assert done.returncode == 0
    assert f"Its trainer, process {trainer.pid}, was still there" in done.stdout
    assert not is_alive(trainer)
    assert inspect(run).state == "finished"
    assert inft_tui("abort", run.run_id).returncode == 2


@pytest.mark.parametrize("request_", ["save", "stop", "abort"])
@pytest.mark.parametrize("state", ["finished", "failed", "dead"])
def test_a_run_that_has_ended(run: RunDirectory, request_: str, state: str) -> None:
    if state == "dead":
        write_status(run, working(dead_process()))
    elif state == "failed":
        write_status(run, Status("failed", step=7, exit_code=6, cause=Cause("data", "No rows.", "")))
    else:
        write_status(run, Status("finished", step=7, exit_code=0))
    done = inft_tui(request_, run.run_id)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{run.run_id} has already ended: {'failed' if state == 'dead' else state} after step" in done.stderr
    assert not run.control.exists()


def test_a_run_that_fails_instead(project: Path) -> None:
    run = started("stubborn")
    process = subprocess.Popen(
        [*COMMAND, "stop", run.run_id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(0.7)
    kill(run, "supervisor", "trainer")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (70, "")
    assert "It did not come to that" in errors
    assert "gone without a word" in errors


def test_a_run_on_another_machine(run: RunDirectory) -> None:
    move_to_another_machine(run, "node7")
    write_status(run, working(dead_process()))
    done = inft_tui("stop", "--no-wait", run.run_id)
    assert done.returncode == 0
    assert "runs on node7" in done.stderr
    assert control.pending(run) == {"stop"}


def test_a_run_whose_folder_takes_no_request(project: Path) -> None:
    run = started()
    run.control.write_text("")
    done = inft_tui("save", run.run_id)
    run.control.unlink()
    assert done.returncode == 7
    assert "Could not write" in done.stderr
