from __future__ import annotations

from dataclasses import replace

import pytest

from inft.machine.room import Room
from inft.readiness.host import judge_cpu, judge_memory, judge_shared
from tests.readiness.facts import FULL_SIZE, TINY

GIB = 1 << 30
ROOMY = Room(
    cores=16.0,
    cores_of_machine=16,
    memory_total_bytes=128 * GIB,
    memory_available_bytes=100 * GIB,
    shared_free_bytes=64 * GIB,
    shared_total_bytes=64 * GIB,
)


def test_a_machine_with_room_for_everything() -> None:
    checks = [
        judge(ROOMY, needs) for judge in (judge_cpu, judge_memory, judge_shared) for needs in (FULL_SIZE, TINY, None)
    ]
    assert {check.status for check in checks} == {"green"}
    assert checks[0].message == "16 processors."


@pytest.mark.parametrize(("cores", "status"), [(1.5, "amber"), (3.9, "amber"), (4.0, "green")])
def test_processors_for_the_data_workers(cores: float, status: str) -> None:
    check = judge_cpu(replace(ROOMY, cores=cores), FULL_SIZE)
    assert check.status == status
    if status == "amber":
        assert f"{cores:g} processors of 16 may be used" in check.message
        assert f"--set data.num_workers={int(cores)}" in check.fix


@pytest.mark.parametrize(
    ("total", "available", "status"), [(64, 20, "green"), (64, 3, "amber"), (8, 8, "amber"), (4, 4, "red")]
)
def test_memory(total: int, available: int, status: str) -> None:
    room = replace(ROOMY, memory_total_bytes=total * GIB, memory_available_bytes=available * GIB, memory_limited=True)
    check = judge_memory(room, FULL_SIZE)
    assert check.status == status
    assert f"{available}.0 GiB of {total}.0 GiB are free in this container" in check.message


@pytest.mark.parametrize(("free_mib", "status"), [(64, "amber"), (10, "red"), (200, "green")])
def test_shared_memory(free_mib: int, status: str) -> None:
    # Four workers with two batches each, and the one in use, take up to 180 MiB.
    room = replace(ROOMY, shared_free_bytes=free_mib << 20, shared_total_bytes=64 << 20)
    check = judge_shared(room, FULL_SIZE)
    assert check.status == status
    assert ("--shm-size" in check.fix) == (status != "green")


def test_without_workers_no_shared_memory_is_needed() -> None:
    none = replace(ROOMY, shared_free_bytes=None, shared_total_bytes=None)
    alone = replace(FULL_SIZE, workers=0)
    assert judge_shared(none, alone).status == "green"
    assert judge_shared(none, FULL_SIZE).status == "red"
    assert judge_shared(replace(ROOMY, shared_free_bytes=0), alone).status == "green"
