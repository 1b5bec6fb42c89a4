from __future__ import annotations

from pathlib import Path

from inft.machine.room import Disk
from inft.readiness.disk import Destination, judge_disks

GIB = 1 << 30
CHECKPOINTS = Destination("checkpoints", Path("/a/checkpoints"), 6 * GIB)
ADAPTERS = Destination("final adapters", Path("/a/best"), 2 * GIB)
LOGS = Destination("run's logs", Path("/b/logs"), 256 << 10)


def disks(free: float, other: float = 100, **changes: object) -> dict[Path, Disk | None]:
    one = Disk(1, int(free * GIB), 10**6, **changes)  # type: ignore[arg-type]
    return {CHECKPOINTS.folder: one, ADAPTERS.folder: one, LOGS.folder: Disk(2, int(other * GIB), None)}


def test_room_enough() -> None:
    check = judge_disks([CHECKPOINTS, ADAPTERS, LOGS], disks(100))
    assert check.status == "green"
    assert check.message == (
        "100.0 GiB are free for checkpoints and final adapters, which take up to 8.0 GiB; "
        "100.0 GiB are free for run's logs, which take up to 256.0 KiB."
    )


def test_folders_on_one_disk_add_up() -> None:
    check = judge_disks([CHECKPOINTS, ADAPTERS, LOGS], disks(7))
    assert check.status == "red"
    assert "7.0 GiB are free for checkpoints and final adapters, which take up to 8.0 GiB" in check.message
    assert "/a/checkpoints" in check.fix
    # Each alone would fit.
    assert judge_disks([CHECKPOINTS], disks(7.5)).status == "green"


def test_little_would_be_left() -> None:
    check = judge_disks([CHECKPOINTS, ADAPTERS], disks(8.5))
    assert check.status == "amber"
    assert "little is left" in check.message


def test_what_cannot_be_written() -> None:
    check = judge_disks([LOGS, CHECKPOINTS], disks(100, problem="/a is on a read-only disk"))
    assert check.status == "red"
    assert check.message == "The checkpoints cannot be written: /a is on a read-only disk."


def test_no_files_left() -> None:
    few = {CHECKPOINTS.folder: Disk(1, 100 * GIB, 3)}
    check = judge_disks([CHECKPOINTS], few)
    assert check.status == "red"
    assert "3 files" in check.message


def test_a_disk_that_says_nothing() -> None:
    assert judge_disks([CHECKPOINTS], {CHECKPOINTS.folder: None}).status == "green"
