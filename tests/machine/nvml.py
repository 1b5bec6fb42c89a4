"""A driver without a card: answers as it is told to, also with error codes and nonsense."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from inft.machine.nvml import NvmlError

GIB = 1 << 30
T = TypeVar("T")
Answer: TypeAlias = int | NvmlError


@dataclass
class FakeNvml:
    """One field per answer; an `NvmlError` in place of a value is raised."""

    uuids: list[str | NvmlError] = field(default_factory=lambda: ["GPU-aaaa-1", "GPU-bbbb-2"])
    model: str | NvmlError = "NVIDIA H200"
    utilization_percent: Answer = 87
    memory_bytes: tuple[int, int] | NvmlError = (70 * GIB, 140 * GIB)
    degrees: Answer = 61
    milliwatts: Answer = 512_300
    most_milliwatts: Answer = 700_000
    sm_mhz: Answer = 1980
    memory_mhz: Answer = 3201
    start: NvmlError | None = None
    number: Answer = 2
    opened: int = 0
    closed: int = 0

    def open(self) -> None:
        _answer(self.start)
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def count(self) -> int:
        return _answer(self.number)

    def device(self, index: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(index + 1)

    def device_named(self, uuid: str) -> ctypes.c_void_p:
        return ctypes.c_void_p(99)

    def uuid(self, device: ctypes.c_void_p) -> str:
        assert device.value is not None
        return _answer(self.uuids[device.value - 1])

    def name(self, device: ctypes.c_void_p) -> str:
        return _answer(self.model)

    def utilization(self, device: ctypes.c_void_p) -> int:
        return _answer(self.utilization_percent)

    def memory(self, device: ctypes.c_void_p) -> tuple[int, int]:
        return _answer(self.memory_bytes)

    def temperature(self, device: ctypes.c_void_p) -> int:
        return _answer(self.degrees)

    def power(self, device: ctypes.c_void_p) -> int:
        return _answer(self.milliwatts)

    def power_limit(self, device: ctypes.c_void_p) -> int:
        return _answer(self.most_milliwatts)

    def sm_clock(self, device: ctypes.c_void_p) -> int:
        return _answer(self.sm_mhz)

    def memory_clock(self, device: ctypes.c_void_p) -> int:
        return _answer(self.memory_mhz)


def _answer(value: T | NvmlError) -> T:
    if isinstance(value, NvmlError):
        raise value
    return value
