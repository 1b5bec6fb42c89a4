"""The lines of the System screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.machine.cards import Card, Cards, Holder
from inft.machine.room import Room
from inft.machine.units import GIB
from inft.readiness.check import amber, green, red
from inft_tui.charts.series import Series
from inft_tui.display.spans import Line, width
from inft_tui.feeds.hardware_feed import GpuCurves
from inft_tui.system.folders import DiskSight, Folder, Mount, mount_of
from inft_tui.system.host import HostSight
from inft_tui.system.look import GpuSight, Look
from inft_tui.system.rows import (
    Gpu,
    disk_lines,
    gpu_heading,
    gpu_row,
    gpus_of,
    host_lines,
    light_lines,
    no_gpu_lines,
    program_lines,
)
from inft_tui.worker import Worker

G = int(GIB)


def words(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def curve(value: float) -> Series:
    series = Series("x")
    series.append(0, value)
    return series


def curves(uuid: str, index: int | None = 0) -> GpuCurves:
    figures = {
        "utilization_percent": 97.0,
        "memory_used_gib": 139.0,
        "memory_total_gib": 139.8,
        "temperature_c": 88.0,
        "power_w": 540.4,
        "power_limit_w": 700.0,
    }
    return GpuCurves(uuid, index, "NVIDIA H200", {key: curve(value) for key, value in figures.items()})


def answered(value: DiskSight | None, waiting: bool = False) -> Look[DiskSight]:
    calls: list[object] = []
    look = Look(lambda: value, Worker(lambda call: calls.append(call), lambda error: None), lambda _: 1.0, lambda: None)
    look.answer = value
    if waiting:
        look._asked_at, look._now = 0.0, 10.0
    return look  # type: ignore[return-value]


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 160, 300])
def test_the_figures_stand_below_their_names(columns: int) -> None:
    head = gpu_heading(columns)
    line = gpu_row(Gpu(curves("a"), None), columns, "braille", selected=False)
    assert width(head) == width(line) == columns
    if columns >= 59:
        above, below = words([head]), words([line])
        for name, figure in (
            ("use", "97 %"),
            ("memory", "139.0/139.8 GiB"),
            ("temp", "88 °C"),
            ("power", "540/700 W"),
        ):
            assert above.index(name) + len(name) == below.index(figure) + len(figure), name


def test_nearly_full_and_hot_stand_out() -> None:
    roles = dict(gpu_row(Gpu(curves("a"), None), 160, "braille", selected=False))
    assert next(role for text, role in roles.items() if "139.8" in text) == "bad"
    assert next(role for text, role in roles.items() if "88 °C" in text) == "warn"


def test_a_gpu_that_tells_nothing_is_a_line_all_the_same() -> None:
    line = words([gpu_row(Gpu(None, Card(1, name="T4\x1b[2J")), 80, "ascii", selected=False)])
    assert "1   T4\\x1b[2J" in line
    assert "%" not in line


def test_samples_and_driver_tell_of_each_gpu_once() -> None:
    cards = Cards("answers", usable=(Card(0, uuid="a"), Card(1, uuid="b")))
    found = gpus_of([curves("b", 1), curves("gone", 3)], cards)
    assert [(gpu.number, gpu.card is not None) for gpu in found] == [("1", True), ("3", False), ("0", True)]
    assert gpus_of([], None) == []


def test_who_is_on_a_gpu_the_largest_first_and_our_runs_by_name() -> None:
    card = Card(0, holders=(Holder(7, 2 * G), Holder(8, 70 * G), Holder(9, None)))
    sight = GpuSight(Cards("answers", usable=(card,)), {8: "python\x07", 7: "Xorg"})
    lines = words(program_lines(Gpu(None, card), sight, {8: "aya_adv-20250301"}, 100)).splitlines()
    assert [line.removeprefix("  On GPU 0").split()[0] for line in lines] == ["8", "7", "9"]
    assert "python\\x07" in lines[0]
    assert lines[0].endswith("70.0 GiB  run aya_adv-20250301")
    assert "not visible here" in lines[2]
    nobody = GpuSight(Cards("answers", usable=(Card(0),)))
    assert "nobody" in words(program_lines(Gpu(None, Card(0)), nobody, {}, 100))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        (None, "Looking for GPUs"),
        (Cards("absent"), "no GPU"),
        (Cards("silent"), "does not answer"),
        (Cards("mismatch", "Driver/library version mismatch"), "reports a fault: Driver/library"),
        (Cards("answers", on_machine=2, visible="-1", hiding="asked"), "No GPU can be used here"),
    ],
)
def test_why_there_is_no_gpu(cards: Cards | None, said: str) -> None:
    assert said in words(no_gpu_lines(cards, 0.0))


def test_processors_and_memory_and_what_a_container_may_use() -> None:
    room = Room(2.0, 64, 32 * G, 8 * G, memory_limited=True, shared_free_bytes=G, shared_total_bytes=2 * G)
    text = words(host_lines(HostSight(room, 0.25, 3.14), 160, "ascii"))
    assert "25% of 64 cores, of which 2 may be used here · load 3.1" in text
    assert "75% of 32.0 GiB used, the most that this container may use · 8.0 GiB free" in text
    assert "50% of 2.0 GiB used" in text


def test_folders_stand_below_their_disk_and_what_is_far_is_said() -> None:
    mounts = (Mount("/", "ext4"), Mount("/data", "nfs4"))
    folders = [
        (Folder("project", Path("/home/me/p")), answered(DiskSight(G, 100 * G))),
        (Folder("hub cache", Path("/data/hub")), answered(DiskSight(50 * G, 100 * G, "it is read only"))),
        (Folder("runs", Path("/home/me/p/logs")), answered(None)),
    ]
    lines = words(disk_lines(folders, mounts, 120, "ascii")).splitlines()
    assert lines[0].startswith("  /  ")
    assert "99% of 100.0 GiB used · 1.0 GiB free · ext4" in lines[0]
    assert lines[1].split()[0] == "project"
    assert lines[2].split()[0] == "runs"
    assert "nfs4, over the network" in lines[3]
    assert "hub cache: it is read only" in lines[5]


def test_a_disk_that_hangs_is_named() -> None:
    folders = [(Folder("hub cache", Path("/data/hub")), answered(None, waiting=True))]
    line = words(disk_lines(folders, (Mount("/data", "nfs4"),), 100, "ascii"))
    assert "/data" in line
    assert "does not answer · nfs4, over the network" in line


def test_of_several_mounts_the_innermost_counts_and_of_two_at_one_place_the_last() -> None:
    mounts = (Mount("/", "ext4"), Mount("/a", "xfs"), Mount("/a", "nfs4"), Mount("/ab", "tmpfs"))
    assert mount_of(Path("/a/b"), mounts) == Mount("/a", "nfs4")
    assert mount_of(Path("/abc"), mounts) == Mount("/", "ext4")
    assert mount_of(Path("/abc"), ()) is None


def test_lights_that_are_not_green_come_first_with_what_to_do() -> None:
    lights = (green("cpu", "2 processors."), amber("gpu", "None here.", "Add one."), red("disk", "Full.", "Free some."))
    lines = words(light_lines(lights, 0, 60)).splitlines()
    assert [line.split()[1] for line in lines] == ["disk", "Free", "gpu", "Add", "cpu"]
    assert "checking" in words(light_lines(None, 0, 60))
    long = words(light_lines((green("libraries", "word " * 40),), 0, 60)).splitlines()
    assert len(long) > 3
    assert max(map(len, long)) <= 60
