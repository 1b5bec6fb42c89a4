from __future__ import annotations

import sys
from pathlib import Path

import pytest

from inft.machine.oom import OomWatch, oom_kills


class TestOomKills:
    def machine(self, tmp_path: Path, cgroup: str, files: dict[str, str]) -> int | None:
        proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "self" / "cgroup").write_text(cgroup)
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return oom_kills(proc, cgroups)

    def test_control_groups_version_2(self, tmp_path: Path) -> None:
        files = {
            "cgroup/user.slice/job/memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
            "proc/vmstat": "pgfault 9\noom_kill 40\n",
        }
        assert self.machine(tmp_path, "0::/user.slice/job\n", files) == 2

    def test_version_2_inside_a_container(self, tmp_path: Path) -> None:
        assert self.machine(tmp_path, "0::/../../pod\n", {"cgroup/memory.events": "oom_kill 5\n"}) == 5

    def test_version_1(self, tmp_path: Path) -> None:
        files = {
            "cgroup/memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            "proc/vmstat": "oom_kill 40\n",
        }
        assert self.machine(tmp_path, "9:name=systemd:/\n4:memory:/docker/abc\n0::/\n", files) == 3

    def test_version_1_inside_a_container(self, tmp_path: Path) -> None:
        files = {"cgroup/memory/memory.oom_control": "under_oom 0\noom_kill 7\n"}
        assert self.machine(tmp_path, "4:cpu,memory:/docker/abc\n", files) == 7

    def test_a_machine_without_groups_tells_for_all_of_it(self, tmp_path: Path) -> None:
        assert self.machine(tmp_path, "0::/\n", {"proc/vmstat": "pgfault 9\noom_kill 40\n"}) == 40

    def test_a_group_of_an_old_kernel_does_not_tell(self, tmp_path: Path) -> None:
        files = {"cgroup/memory.events": "low 0\noom 3\n", "proc/vmstat": "oom_kill 4\n"}
        assert self.machine(tmp_path, "0::/\n", files) == 4

    def test_another_system(self, tmp_path: Path) -> None:
        assert oom_kills(tmp_path / "proc", tmp_path / "cgroup") is None

    @pytest.mark.skipif(sys.platform != "linux", reason="the count is Linux's")
    def test_this_machine_tells(self) -> None:
        count = oom_kills()
        assert count is not None
        assert count >= 0


class TestOomWatch:
    def test_what_was_before_does_not_count(self) -> None:
        watch = OomWatch()
        watch.look(0.0, 7)
        watch.look(1.0, 7)
        assert not watch.struck(1.0)

    def test_a_rise_right_before_the_end_does(self) -> None:
        watch = OomWatch()
        watch.look(0.0, 7)
        watch.look(10.0, 8)
        assert watch.struck(10.0)
        assert watch.struck(40.0)  # giving back a terabyte takes that long

    def test_one_long_ago_does_not(self) -> None:
        watch = OomWatch()
        watch.look(0.0, 7)
        watch.look(10.0, 8)
        watch.look(3600.0, 8)
        assert not watch.struck(3600.0)

    def test_a_machine_that_does_not_tell(self) -> None:
        watch = OomWatch()
        for now in range(3):
            watch.look(float(now), None)
        assert not watch.struck(3.0)

    def test_a_look_that_failed_in_between(self) -> None:
        watch = OomWatch()
        watch.look(0.0, 1)
        watch.look(1.0, None)
        watch.look(2.0, 2)
        assert watch.struck(2.0)
