"""A run goes on to its end, with every line in place, whatever becomes of the terminal that started it."""

from __future__ import annotations

import os
import shlex
import signal

import pytest

from inft.runs.directory import RunDirectory
from tests.end_to_end.real_runs import HEADLESS, STEPS, Outcome, Project, session_of, wait_for_end, wait_until
from tests.inft_tui.programs import COMMAND, Terminal

pytestmark = pytest.mark.slow

FOLLOWED = shlex.join([*COMMAND, *HEADLESS])


def assert_nothing_is_missing(project: Project, run: RunDirectory, undisturbed: Outcome) -> None:
    ended = wait_for_end(run)
    assert (ended.state, ended.exit_code, ended.cause) == ("finished", 0, None)
    outcome = project.outcome(run)
    assert outcome.kinds == undisturbed.kinds
    assert outcome.losses == undisturbed.losses
    assert all((values == undisturbed.adapters[name]).all() for name, values in outcome.adapters.items())


def test_the_session_of_its_shell_is_killed(project: Project, undisturbed: Outcome) -> None:
    terminal = Terminal("sh", columns=200)
    terminal.type(f"{FOLLOWED}\n")
    run = project.only_run()
    terminal.read_until(f" of {STEPS} steps")
    members = session_of(terminal.process.pid)
    assert len(members) == 2  # the shell and the follower, not the run
    for pid in members:
        os.kill(pid, signal.SIGKILL)
    terminal.process.wait()
    assert_nothing_is_missing(project, run, undisturbed)


def test_its_terminal_hangs_up_and_stdin_was_closed(project: Project, undisturbed: Outcome) -> None:
    """With the hang-up ignored; one that ends the follower is in test_killed_parts."""
    terminal = Terminal("sh", "-c", f"trap '' HUP; exec {FOLLOWED} <&-", columns=200)
    terminal.read_until(f" of {STEPS} steps")
    run = project.only_run()
    terminal.vanish()
    # Without a terminal there is nobody to follow it for.
    wait_until(lambda: terminal.process.poll() is not None, timeout_s=15)
    assert_nothing_is_missing(project, run, undisturbed)
