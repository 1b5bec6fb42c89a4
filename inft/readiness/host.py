"""Processors, memory and shared memory of the host, judged."""

from __future__ import annotations

from inft.machine.room import Room
from inft.readiness.check import Check, amber, green, red
from inft.readiness.needs import Needs
from inft.runs.quantities import figure, size

CPU, MEMORY, SHARED = "cpu", "host memory", "shared memory"

# The trainer with its libraries takes 1.2 GiB with a tiny model on a CPU and 4 to 5 with CUDA's; while weights are
# loaded, one file of them (5 GB) passes through besides. A worker is a fork with pictures of its own.
_TRAINER_ON_CPU_BYTES = 3 << 29
_TRAINER_ON_GPU_BYTES = 8 << 30
_WORKER_BYTES = 1 << 28

PREFETCHED = 2
"""Batches that each worker has ready, as torch's DataLoader has them by default; and one is being used."""


def judge_cpu(room: Room, needs: Needs | None) -> Check:
    """Whether the data workers have processors."""
    cores = f"{figure(room.cores)} {'processor' if room.cores == 1 else 'processors'}"
    if room.cores_of_machine is not None and room.cores < room.cores_of_machine:
        cores += f" of {room.cores_of_machine} may be used"
    if needs is None or needs.workers <= max(1, room.cores):
        return green(CPU, f"{cores[:1].upper()}{cores[1:]}.")
    fewer = max(1, int(room.cores))
    return amber(
        CPU, f"{cores}, and {needs.workers} data workers would share them.", f"Run with --set data.num_workers={fewer}."
    )  # fmt: skip


def judge_memory(room: Room, needs: Needs | None) -> Check:
    """Whether trainer and data workers have room."""
    total, available = room.memory_total_bytes, room.memory_available_bytes
    if total is None or available is None:
        return amber(MEMORY, "The system does not say how much memory is free.", "See what `free` says.")
    words = f"{size(available)} of {size(total)} are free"
    if room.memory_limited:
        words += " in this container or control group"
    if needs is None:
        return green(MEMORY, f"{words}.")
    workers = needs.workers * _WORKER_BYTES
    need = (_TRAINER_ON_GPU_BYTES if needs.gpu else _TRAINER_ON_CPU_BYTES) + workers
    if need <= available:
        return green(MEMORY, f"{words}.")
    fix = "End other programs, allow the container more, or lower data.num_workers."
    told = f"{words}, and trainer and {needs.workers} data workers take up to {size(need)}."
    # Half of it is what no run of that kind has been seen to do with.
    return red(MEMORY, told, fix) if total < need / 2 else amber(MEMORY, told, fix)


def judge_shared(room: Room, needs: Needs | None) -> Check:
    """Whether the data workers can hand their batches over."""
    free, total = room.shared_free_bytes, room.shared_total_bytes
    if free is None or total is None:
        if needs is not None and needs.workers:
            return red(
                SHARED, "There is no /dev/shm, through which data workers hand over batches.", _without_workers()
            )
        return green(SHARED, "There is no /dev/shm, and none is needed.")
    words = f"{size(free)} of {size(total)} in /dev/shm are free"
    if needs is None or needs.workers == 0:
        return green(SHARED, f"{words}.")
    least, most = needs.batch_bytes, (needs.workers * PREFETCHED + 1) * needs.batch_bytes
    fix = "Enlarge it (docker run --shm-size=8g), or run with --set data.num_workers=0."
    if free < least:
        return red(SHARED, f"{words}, and a single batch may take {size(least)}.", fix)
    if free < most:
        return amber(SHARED, f"{words}, and the batches of {needs.workers} data workers may take {size(most)}.", fix)
    return green(SHARED, f"{words}.")


def _without_workers() -> str:
    return "Mount it (mount -t tmpfs tmpfs /dev/shm), or run with --set data.num_workers=0."
