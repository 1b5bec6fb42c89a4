"""A machine with two GPUs that answers at once and always the same."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from inft.machine.cards import Card, Cards, Holder
from inft.machine.room import Room
from inft.machine.units import GIB
from inft.readiness.check import Check, amber, green
from inft.runs.clock import timestamp
from inft_tui.system.folders import DiskSight, Folder, Mount
from inft_tui.system.host import HostSight
from inft_tui.system.look import GpuSight
from inft_tui.system.machine import Questions, Samples

G = int(GIB)
BEGAN = datetime(2025, 3, 7, 14, 0, tzinfo=UTC)
SAMPLES = 300
LIGHTS = (
    green("driver", "Version 580.65.06, for CUDA up to 13.0."),
    green("gpu", "NVIDIA H200: GPU 0 of 2 GPUs; a run uses one."),
    amber("gpu memory", "68.6 GiB of 139.8 GiB are free; python (process 4711) holds the rest.", "End that program."),
    green("libraries", "All 9 fit."),
)


@dataclass
class Written:
    """Samples that were taken before."""

    path: Path

    def close(self) -> None:
        """Nothing goes on."""


def hang() -> None:
    """What a driver or a disk does that is gone; the thread is left behind."""
    threading.Event().wait()


def questions(folder: Path, *, gpus: int = 2, hangs: Sequence[str] = ()) -> Questions:
    """Those about the machine.

    Args:
        folder: where its samples are put.
        gpus: how many it has.
        hangs: names of questions that are never answered.
    """

    def asked(name: str, answer: object) -> Callable[..., object]:
        def give(*_: object) -> object:
            if name in hangs:
                hang()
            return answer

        return give

    path = folder / "hardware.jsonl"

    def sample() -> Samples:
        path.write_bytes(b"".join(msgspec.json.encode(_record(number, gpus)) + b"\n" for number in range(SAMPLES)))
        return Written(path)

    room = Room(16.0, 16, 128 * G, 87 * G, shared_free_bytes=62 * G, shared_total_bytes=64 * G)
    lights: tuple[Check, ...] = LIGHTS
    return Questions(
        gpus=asked("gpus", GpuSight(_cards(gpus), {4711: "python", 903: "Xorg"} if gpus else {})),  # type: ignore[arg-type]
        host=asked("host", HostSight(room, 0.37, 5.2)),  # type: ignore[arg-type]
        lights=asked("lights", lights),  # type: ignore[arg-type]
        disk=asked("disk", DiskSight(512 * G, 1024 * G)),  # type: ignore[arg-type]
        folders=[
            Folder("project", Path("/work/news")),
            Folder("runs", Path("/work/news/logs")),
            Folder("hub cache", Path("/shared/cache/huggingface/hub")),
            Folder("temporary", Path("/tmp")),
        ],
        mounts=lambda: (Mount("/", "ext4"), Mount("/shared", "nfs4")),
        sample=sample,
    )


def _cards(count: int) -> Cards:
    if not count:
        return Cards("absent", "NVML Shared Library Not Found")
    held = {0: (Holder(4711, 70 * G), Holder(903, 400 << 20))}
    usable = tuple(
        Card(index, f"GPU-{index}", "NVIDIA H200", (9, 0), 140 * G, 69 * G, held.get(index, ()))
        for index in range(count)
    )
    return Cards("answers", driver_version="580.65.06", cuda_version=(13, 0), on_machine=count, usable=usable)


def _record(number: int, gpus: int) -> dict[str, object]:
    return {
        "ts": timestamp(BEGAN + timedelta(seconds=5 * number)),
        "event": "hardware",
        "host_memory_used_gib": round(40 + number / 100, 1),
        "host_memory_total_gib": 128.0,
        "load_1min": round(5 + math.sin(number / 20), 2),
        "gpus": [_gpu(index, number) for index in range(gpus)],
    }


def _gpu(index: int, number: int) -> dict[str, object]:
    wave = math.sin(number / (7 + index))
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H200",
        "utilization_percent": round(92 - 60 * index + 6 * wave),
        "memory_used_gib": 71.2 - 60 * index,
        "memory_total_gib": 139.8,
        "temperature_c": round(61 + 3 * wave),
        "power_w": round(540 - 300 * index + 25 * wave, 1),
        "power_limit_w": 700.0,
        "sm_clock_mhz": 1980.0,
    }
