"""A container's share of memory and processors, in folders as the kernel has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from inft.machine.room import look_at_disk, look_at_room

GIB = 1 << 30


def write(root: Path, **contents: str) -> None:
    for name, content in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        dotted = path.with_name(path.name.replace("_dot_", "."))
        dotted.write_text(content + "\n")


def proc(root: Path, line: str) -> Path:
    write(root / "proc", self__cgroup=line)
    return root / "proc"


def test_this_machine() -> None:
    room = look_at_room()
    assert room.memory_total_bytes is not None
    assert room.memory_available_bytes is not None
    assert 0 < room.memory_available_bytes <= room.memory_total_bytes <= psutil.virtual_memory().total
    assert 0 < room.cores <= len(os.sched_getaffinity(0))


def test_version_2_with_limits_further_up(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    write(groups / "pod", memory_dot_max=str(2 * GIB), memory_dot_current=str(GIB), cpu_dot_max="50000 100000")
    write(groups / "pod", memory_dot_stat=f"anon 5\ninactive_file {GIB // 2}")
    write(groups / "pod" / "job", memory_dot_max="max", cpu_dot_max="max 100000")
    room = look_at_room(proc(tmp_path, "0::/pod/job"), groups)
    assert (room.memory_total_bytes, room.memory_limited) == (2 * GIB, True)
    # What the group keeps of files' content is given back when it is needed.
    assert room.memory_available_bytes == 2 * GIB - GIB // 2
    assert room.cores == 0.5


def test_version_1(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    write(groups / "memory" / "job", memory_dot_limit_in_bytes=str(GIB), memory_dot_usage_in_bytes=str(GIB // 4))
    write(groups / "memory", memory_dot_limit_in_bytes=str(2**63 - 4096), memory_dot_usage_in_bytes="1")
    write(groups / "cpu", cpu_dot_cfs_quota_us="25000", cpu_dot_cfs_period_us="100000")
    room = look_at_room(proc(tmp_path, "4:memory:/job\n1:cpu:/"), groups)
    assert (room.memory_total_bytes, room.memory_available_bytes) == (GIB, GIB - GIB // 4)
    assert room.cores == 0.25


@pytest.mark.parametrize("line", ["", "0::/", "0::/../..", "nonsense", "4:memory:/gone"])
def test_no_limits(tmp_path: Path, line: str) -> None:
    room = look_at_room(proc(tmp_path, line), tmp_path / "cgroup")
    assert room.memory_total_bytes == psutil.virtual_memory().total
    assert not room.memory_limited


def test_limits_that_are_no_numbers(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    write(groups, memory_dot_max="\x00", cpu_dot_max="many 0")
    assert not look_at_room(proc(tmp_path, "0::/"), groups).memory_limited
    write(groups, cpu_dot_max="100000 0")
    assert look_at_room(proc(tmp_path, "0::/"), groups).cores == len(os.sched_getaffinity(0))


def test_no_shared_memory(tmp_path: Path) -> None:
    room = look_at_room(shared=tmp_path / "none")
    assert (room.shared_free_bytes, room.shared_total_bytes) == (None, None)


class TestDisk:
    def test_of_a_folder_that_is_yet_to_be(self, tmp_path: Path) -> None:
        disk = look_at_disk(tmp_path / "a" / "b")
        assert disk is not None
        assert disk.device == tmp_path.stat().st_dev
        assert 0 < disk.free_bytes <= shutil.disk_usage(tmp_path).free
        assert disk.problem == ""

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("")
        disk = look_at_disk(tmp_path / "a" / "b")
        assert disk is not None
        assert disk.problem == f"{tmp_path / 'a'} is no folder"

    def test_a_folder_that_is_closed_to_this_user(self, tmp_path: Path) -> None:
        code = (
            "import os, sys; from pathlib import Path; from inft.machine.room import look_at_disk\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "print(look_at_disk(Path(sys.argv[1])).problem)"
        )
        os.chmod(tmp_path, 0o755)
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o555)
        done = subprocess.run([sys.executable, "-c", code, closed / "x"], capture_output=True, text=True, check=True)
        assert "may not be" in done.stdout or "permission denied" in done.stdout


def test_a_folder_among_the_kernels_own_cannot_be_made() -> None:
    disk = look_at_disk(Path("/proc/outputs/checkpoints"))
    assert disk is not None
    assert disk.problem == "/proc belongs to the kernel, and no folder can be made there"
