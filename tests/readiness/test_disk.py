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
        "100.0 GiB free for 8.0 GiB at the most: checkpoints (6.0 GiB) and final adapters (2.0 GiB); "
        "100.0 GiB free for run's logs (256.0 KiB)."
    )


def test_folders_on_one_disk_add_up() -> None:
    check = judge_disks([CHECKPOINTS, ADAPTERS, LOGS], disks(7))
    assert check.status == "red"
    assert check.message.startswith("Only 7.0 GiB free for 8.0 GiB at the most: checkpoints (6.0 GiB) and final")
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


def test_what_only_the_hub_knows_is_not_nothing() -> None:
    weights = Destination("downloads", Path("/a/hub"), 16 * GIB, "the dataset")
    free = disks(100) | {weights.folder: Disk(1, 100 * GIB, 10**6)}
    check = judge_disks([CHECKPOINTS, weights], free)
    assert check.status == "amber"
    assert "22.0 GiB at the most" in check.message
    assert check.message.endswith("downloads (16.0 GiB), and for the dataset, whose size only the hub knows.")
    tight = judge_disks([CHECKPOINTS, weights], disks(20) | {weights.folder: Disk(1, 20 * GIB, 10**6)})
    assert tight.status == "red"
