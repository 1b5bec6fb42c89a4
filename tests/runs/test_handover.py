from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from inft.machine.processes import ProcessId, process_of, this_process
from inft.runs.directory import RunDirectory
from inft.runs.handover import SUPERVISED, take_over
from inft.runs.status import Pids, Status, StatusFile

CODE = """
import os, sys
from pathlib import Path
import msgspec
from inft.runs.directory import RunDirectory
from inft.runs.handover import take_over
pids = take_over(RunDirectory(Path(sys.argv[1])))
print(msgspec.json.encode([pids, os.environ.get("INFT_SUPERVISED")]).decode())
"""


def trainer(run: RunDirectory) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, SUPERVISED: "1"},
    )


def said(process: subprocess.Popen[bytes]) -> tuple[Pids, str | None]:
    """Closes its stdin, which is the word it waits for."""
    found, environment = msgspec.json.decode(process.communicate(timeout=20)[0], type=tuple[Pids, str | None])
    return found, environment


def test_it_waits_until_it_is_written_down(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    process = trainer(run)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    pids = Pids(supervisor=this_process(), trainer=process_of(process.pid))
    StatusFile(run.status_json).write(Status("starting", pids))
    assert said(process) == (pids, None)


def test_a_supervisor_that_died_before_it_wrote_is_none(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    StatusFile(run.status_json).write(Status("queued"))
    process = trainer(run)
    me = process_of(process.pid)
    assert said(process) == (Pids(supervisor=None, trainer=me), None)


@pytest.mark.parametrize(
    "left", [None, Pids(), Pids(supervisor=ProcessId(1, 1.0), trainer=ProcessId(os.getpid(), 1.0, 1))]
)
def test_started_by_hand_it_does_not_wait(tmp_path: Path, left: Pids | None) -> None:
    # The last one is what a process of an earlier boot that had this number left.
    run = RunDirectory(tmp_path)
    if left is not None:
        StatusFile(run.status_json).write(Status("training", left))
    assert take_over(run) == Pids(supervisor=None, trainer=this_process())
