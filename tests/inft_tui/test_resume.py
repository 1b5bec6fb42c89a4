from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from inft.forecast.choice import Choice
from inft.runs.directory import RunDirectory
from inft.runs.plans import PlanRecord, write_plan
from inft.runs.records import read_record
from tests.inft_tui.programs import RESUME, Terminal, inft_tui, kill, resume, started, wait_for
from tests.runs.pretend import save_checkpoint


@pytest.fixture
def killed(project: Path) -> RunDirectory:
    """A run that was killed, with a checkpoint of step 40."""
    run = started()
    save_checkpoint(run, 40)
    kill(run, "supervisor", "trainer")
    return run


def others(run: RunDirectory) -> list[RunDirectory]:
    return [RunDirectory(path) for path in run.path.parent.iterdir() if path.is_dir() and path != run.path]


def test_a_new_run_goes_on_and_is_followed(killed: RunDirectory) -> None:
    done = resume(killed.run_id)
    assert done.returncode == 0
    assert f"Going on with {killed.run_id} from step 40, " in done.stderr
    (new,) = others(killed)
    assert done.stdout.startswith(f"Run {new.run_id}, pid ")
    assert "Finished after" in done.stdout
    record = read_record(new)
    assert record.resumed_from == killed.run_id
    assert record.checkpoint is not None
    assert record.checkpoint.endswith("checkpoint-40")
    assert new.config_toml.read_text() == killed.config_toml.read_text()


def test_detached(killed: RunDirectory) -> None:
    done = resume("latest", "detach", "--detach", env={"STAND_IN": "slow"})
    (new,) = others(killed)
    assert done.stdout.split()[-1] == new.run_id
    wait_for(new, "training")
    again = resume(killed.run_id)
    assert again.returncode == 2
    assert f"Run {new.run_id} " in again.stderr  # it holds the folders
    assert len(others(killed)) == 1


def test_as_json(killed: RunDirectory) -> None:
    done = resume(killed.run_id, "--json")
    (new,) = others(killed)
    assert done.stdout == new.metrics.read_text(encoding="utf-8")


def test_on_a_terminal(killed: RunDirectory) -> None:
    terminal = Terminal(sys.executable, "-c", RESUME, killed.run_id)
    assert terminal.wait() == 0
    assert "5 of 5 steps" in terminal.text


def test_the_plan_alone(killed: RunDirectory) -> None:
    done = inft_tui("resume", "latest", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith(f"{killed.run_id} would go on from step 40, ")
    plan = json.loads(inft_tui("resume", "latest", "--dry-run", "--json", "--set", "sft.lr=1", "--force").stdout)
    assert (plan["resumed_from"], plan["checkpoint"]["step"], plan["changed"]) == (killed.run_id, 40, ["sft.lr"])
    assert others(killed) == []


def test_a_plan_that_is_kept_is_no_warning(killed: RunDirectory) -> None:
    killed.config_toml.write_text(killed.config_toml.read_text().replace('fit = "manual"', 'fit = "auto"'))
    write_plan(killed, PlanRecord(Choice(4, 4, recompute=True, hold_dequantized=False)))
    done = inft_tui("resume", killed.run_id, "--dry-run")
    assert done.stderr == f"Keeps the plan of {killed.run_id}: micro-batch 4 x 4, activations recomputed.\n"
    plan = json.loads(inft_tui("resume", killed.run_id, "--dry-run", "--json").stdout)
    assert (plan["warnings"], plan["kept_plan"]) == ([], done.stderr.strip())


def test_what_needs_force(killed: RunDirectory) -> None:
    done = inft_tui("resume", killed.run_id, "--set", "sft.lr=1", "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "sft.lr (0.001 -> 1.0)" in done.stderr
    done = inft_tui("resume", killed.run_id, "--set", "sft.lr=1", "--dry-run", "--force")
    assert done.returncode == 0
    assert "warning: The loss curve will not be the same" in done.stderr


def test_without_a_checkpoint(project: Path) -> None:
    run = started()
    kill(run, "supervisor", "trainer")
    done = inft_tui("resume", run.run_id)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no complete checkpoint" in done.stderr
    assert others(run) == []


def test_a_living_run(project: Path) -> None:
    run = started()
    done = inft_tui("resume", run.run_id)
    assert done.returncode == 2
    assert f"inft-tui stop {run.run_id}" in done.stderr
