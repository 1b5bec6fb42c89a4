"""A driver without a card: answers as it is told to, also with error codes and nonsense."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeVar

GIB = 1 << 30
T = TypeVar("T")


class NVMLError(Exception):
    """An error code."""


Answer: TypeAlias = int | NVMLError


@dataclass
class FakeNvml:
    """What is used of `pynvml`. One field per answer; an `NVMLError` in place of a value is raised."""

    uuids: list[str | NVMLError] = field(default_factory=lambda: ["GPU-aaaa-1", "GPU-bbbb-2"])
    model: str | Exception = "NVIDIA H200"
    utilization_percent: Answer = 87
    memory_bytes: tuple[int, int] | NVMLError = (70 * GIB, 140 * GIB)
    degrees: Answer = 61
    milliwatts: Answer = 512_300
    most_milliwatts: Answer = 700_000
    sm_mhz: Answer = 1980
    memory_mhz: Answer = 3201
    start: NVMLError | None = None
    number: Answer = 2
    opened: int = 0

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2

    def nvmlInit(self) -> None:
        self.opened += 1
        _answer(self.start)

    def nvmlDeviceGetCount(self) -> int:
        return _answer(self.number)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:
        return uuid

    def nvmlDeviceGetUUID(self, device: Any) -> str:
        return _answer(self.uuids[device])

    def nvmlDeviceGetName(self, device: object) -> str:
        return _answer(self.model)

    def nvmlDeviceGetUtilizationRates(self, device: object) -> Any:
        return SimpleNamespace(gpu=_answer(self.utilization_percent), memory=5)

    def nvmlDeviceGetMemoryInfo(self, device: object) -> Any:
        used, total = _answer(self.memory_bytes)
        return SimpleNamespace(used=used, total=total, free=total - used)

    def nvmlDeviceGetTemperature(self, device: object, sensor: int) -> int:
        return _answer({self.NVML_TEMPERATURE_GPU: self.degrees}[sensor])

    def nvmlDeviceGetPowerUsage(self, device: object) -> int:
        return _answer(self.milliwatts)

    def nvmlDeviceGetEnforcedPowerLimit(self, device: object) -> int:
        return _answer(self.most_milliwatts)

    def nvmlDeviceGetClockInfo(self, device: object, clock: int) -> int:
        return _answer({self.NVML_CLOCK_SM: self.sm_mhz, self.NVML_CLOCK_MEM: self.memory_mhz}[clock])


def _answer(value: T | Exception | None) -> T:
    if isinstance(value, Exception):
        raise value
    return value  # type: ignore[return-value]
