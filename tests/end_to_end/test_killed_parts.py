"""What is left of a run when its supervisor or its trainer is killed."""

from __future__ import annotations

import os
import random
import signal

import pytest
import torch

from tests.end_to_end.real_runs import (
    HEADLESS,
    STEPS,
    Outcome,
    Project,
    events_of,
    is_gone,
    pid_of,
    wait_for_end,
    wait_for_step,
    wait_until,
)
from tests.inft_tui.programs import COMMAND, Terminal

pytestmark = pytest.mark.slow


def test_without_its_supervisor_training_goes_on_and_can_be_stopped(project: Project) -> None:
    run = project.start("sft.max_steps=1000", "sft.save_steps=1000")
    wait_for_step(run, 1)
    supervisor = pid_of(run, "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: is_gone(supervisor))

    said = project.status(run)
    assert (said["alive"], said["training"], said["supervised"], said["exit_code"]) == (True, True, False, None)
    words = project.command("status", run.run_id).stdout
    assert f"its supervisor {supervisor} is gone. Training goes on" in " ".join(words.split())

    refused = project.command(*HEADLESS)
    assert refused.returncode == 2
    assert f"Run {run.run_id} has been writing to" in refused.stderr
    assert f"inft-tui stop {run.run_id}" in refused.stderr

    before = project.status(run)["step"]
    stopped = project.command("stop", run.run_id)
    assert stopped.returncode in (0, 130), stopped.stderr
    ended = wait_for_end(run)
    assert (ended.state, ended.exit_code) == ("stopped", 130)
    assert before < ended.step < 1000
    (end,) = (event for event in events_of(run) if event["event"] == "train_end")
    assert (end["state"], end["global_step"]) == ("stopped", ended.step)
    said = project.status(run)
    assert said["checkpoint"]["step"] == ended.step
    wait_until(lambda: is_gone(pid_of(run, "trainer")), timeout_s=20)


def test_a_killed_trainer_is_told_and_resumed_on_the_same_curve(project: Project, undisturbed: Outcome) -> None:
    step = random.randint(4, STEPS - 3)  # there are checkpoints of steps 3 and 6
    run = project.start()
    wait_for_step(run, step)
    os.kill(pid_of(run, "trainer"), signal.SIGKILL)

    ended = wait_for_end(run)
    assert (ended.state, ended.recorded) == ("failed", True)
    said = project.status(run)
    assert (said["state"], said["exit_code"], said["cause"]["kind"]) == ("failed", 70, "killed")
    saved = said["checkpoint"]
    assert saved["step"] in ((step - 1) // 3 * 3, (step + 1) // 3 * 3)
    assert saved["path"] in said["cause"]["message"] + said["cause"]["fix"]
    wait_until(lambda: is_gone(pid_of(run, "supervisor")))

    # Whoever follows the new run may go, too: here its terminal hangs up.
    terminal = Terminal(*COMMAND, "resume", run.run_id, columns=200)
    terminal.read_until(f" of {STEPS} steps")
    (resumed,) = (found for found in map(type(run), project.root.glob("logs/*/")) if found.run_id != run.run_id)
    wait_for_step(resumed, saved["step"] + 1)
    terminal.vanish()
    assert terminal.process.wait(15) == 128 + signal.SIGHUP
    ended = wait_for_end(resumed)
    assert (ended.state, ended.exit_code) == ("finished", 0)

    outcome = project.outcome(run, resumed)
    assert set(outcome.losses) == set(undisturbed.losses)
    for at, loss in undisturbed.losses.items():
        assert outcome.losses[at] == pytest.approx(loss, abs=1e-4), f"step {at}"
    assert set(outcome.adapters) == set(undisturbed.adapters)
    for name, values in undisturbed.adapters.items():
        torch.testing.assert_close(outcome.adapters[name], values, rtol=0, atol=1e-4)
    (begin,) = (event for event in events_of(resumed) if event["event"] == "train_begin")
    assert (begin["resumed_from"], begin["global_step"]) == (run.run_id, saved["step"])
