from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft.machine.boot import uptime
from inft.machine.processes import ProcessId
from inft.runs.status import Cause, Pids, Status, StatusFile, read_status


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    cause = Cause("data", "No rows.", "Add some.", ("last but one", "last"))
    before = uptime()
    status = Status("failed", Pids(trainer=ProcessId(7, 1.5, 150)), step=3, max_steps=9, exit_code=6, cause=cause)
    StatusFile(path).write(status)
    found = read_status(path)
    assert found is not None
    assert found.heartbeat.endswith("Z")
    assert found.uptime is not None
    assert before <= found.uptime <= uptime()
    assert found.is_final
    assert (found.pids, found.step, found.max_steps, found.exit_code, found.cause) == (
        status.pids,
        3,
        9,
        6,
        cause,
    )
    assert json.loads(path.read_text())["pids"] == {
        "supervisor": None,
        "trainer": {"pid": 7, "started": 1.5, "ticks": 150},
    }


def test_no_token_in_the_cause(tmp_path: Path) -> None:
    token = "hf_" + "q" * 34
    StatusFile(tmp_path / "s").write(Status("failed", cause=Cause("hub", f"401 {token}", f"not {token}", (token,))))
    assert token not in (tmp_path / "s").read_text()


def test_no_status_yet_or_one_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_status(path) is None
    for content in ("", "{", "[]", '{"state": "dancing"}', '{"state": "training", "step": "x"}'):
        path.write_text(content)
        assert read_status(path) is None


def test_keys_of_a_later_version_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "s").write_text('{"state": "training", "mood": "good"}')
    assert read_status(tmp_path / "s") == Status("training")


def test_a_status_of_the_first_release_is_read(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(
        '{"state": "training", "pids": {"supervisor": null, "trainer": {"pid": 7, "started": 1.5}}}'
    )
    assert read_status(tmp_path / "s") == Status("training", Pids(trainer=ProcessId(7, 1.5)))


def test_a_reader_never_sees_half_a_status(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    file = StatusFile(path)
    file.write(Status("training"))
    stop = threading.Event()
    missing: list[None] = []

    def read() -> None:
        while not stop.is_set():
            if read_status(path) is None:
                missing.append(None)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(500):
        file.write(Status("training", step=step, cause=Cause("x", "y" * (step * 20), "")))
    stop.set()
    reader.join()
    assert missing == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_a_status_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"status\.json"):
        StatusFile(tmp_path / "nowhere" / "status.json").write(Status("queued"))


def test_a_full_disk_keeps_the_status_before(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from inft.errors import DiskError
from inft.machine.boot import uptime
from inft.machine.processes import ProcessId
from inft.runs.status import Cause, Status, StatusFile
file = StatusFile(Path(sys.argv[1]))
file.write(Status("training", step=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    file.write(Status("failed", cause=Cause("x", "y" * 5000, "")))
except DiskError as error:
    sys.exit(int(error.exit_code))
"""
    path = tmp_path / "status.json"
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 7
    found = read_status(path)
    assert found is not None
    assert found.step == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]
