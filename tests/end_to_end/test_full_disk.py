"""The disk of the log folder fills up while a run trains; its outputs lie on another one."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from inft.runs.checkpoints import newest, verify
from inft.runs.directory import RunDirectory
from inft.runs.status import read_status
from tests.end_to_end.real_runs import HEADLESS, LONGEST_S, Project, events_of
from tests.inft_tui.programs import COMMAND

pytestmark = pytest.mark.slow

# As seen by nobody else: a disk of half a megabyte, filled once the third step is logged, and kept after the end.
PROGRAM = """
mount -t tmpfs -o size=512k tmpfs logs || exit 99
(until grep -qs '"global_step":3,' logs/*/metrics.jsonl; do sleep 0.05; done; cat /dev/zero > logs/filler) &
{command}
code=$?
rm logs/filler
cp -r logs kept
exit $code
"""


def test_training_stops_with_a_cause_and_what_was_saved_can_be_read(project: Project) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs a mount of its own, which this system does not allow")
    (project.root / "logs").mkdir()
    long = ("--set", "sft.max_steps=1000", "--set", "sft.save_steps=1000")
    command = shlex.join([*COMMAND, *HEADLESS, *long])
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", PROGRAM.format(command=command)],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "no space left on device" in done.stderr
    assert "The checkpoint of step" in done.stderr

    (path,) = (project.root / "kept").glob("*/")
    run = RunDirectory(path)
    status = read_status(run.status_json)
    assert status is not None
    assert (status.state, status.exit_code) == ("failed", 7)
    assert status.cause is not None
    assert status.cause.kind == "disk"
    logged = [event["global_step"] for event in events_of(run) if event["event"] == "log"]
    assert logged == list(range(1, len(logged) + 1))
    assert 3 <= len(logged) < 1000
    saved = newest(project.checkpoints, [run.run_id])
    assert saved is not None
    assert len(logged) <= saved.step < 1000
    verify(saved)
