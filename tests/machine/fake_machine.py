"""A driver for machines that we do not have: each card answers as it is told to, with error codes and nonsense too."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

GIB = 1 << 30


class NVMLError(Exception):
    """An error code."""


class LibraryNotFound(NVMLError):
    """There is no library of NVIDIA's."""


class DriverNotLoaded(NVMLError):
    """The kernel has no driver."""


class VersionMismatch(NVMLError):
    """Library and driver are of different versions."""


class GpuIsLost(NVMLError):
    """The card has fallen off the bus."""


NOT_SUPPORTED = NVMLError("Not Supported")


@dataclass
class FakeCard:
    """One card, or a part of one; an exception in place of a value is raised."""

    uuid: Any = "GPU-aaaa-1"
    name: Any = "NVIDIA H100 80GB HBM3"
    capability: Any = (9, 0)
    memory: Any = (2 * GIB, 80 * GIB)
    """Used and total."""
    holders: Any = ()
    """(number of the process, bytes) each."""
    ecc: Any = 0
    remapped: Any = (0, 0, 0, 0)
    """Corrected, uncorrected, pending, failed."""
    retired: Any = NOT_SUPPORTED
    throttle: Any = 0
    degrees: Any = 40
    mig: Any = NOT_SUPPORTED
    parts: list[FakeCard | NVMLError] = field(default_factory=list)
    whole: Any = NOT_SUPPORTED
    dies_after: int | None = None
    """So many questions are answered; then it is gone."""


class FakeMachine:
    """What is used of `pynvml`."""

    NVMLError = NVMLError
    NVMLError_LibraryNotFound = LibraryNotFound
    NVMLError_DriverNotLoaded = DriverNotLoaded
    NVMLError_LibRmVersionMismatch = VersionMismatch
    NVMLError_GpuIsLost = GpuIsLost
    NVML_TEMPERATURE_GPU = 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
    NVML_VOLATILE_ECC = 0

    def __init__(
        self,
        *cards: FakeCard | NVMLError,
        start: Any = None,
        driver: Any = "580.65.06",
        cuda: Any = 13000,
        count: Any = -1,
    ) -> None:
        self.cards = list(cards)
        self.start, self.driver, self.cuda = start, driver, cuda
        self.count = len(cards) if count == -1 else count

    def nvmlInit(self) -> None:
        _answer(self.start)

    def nvmlSystemGetDriverVersion(self) -> Any:
        return _answer(self.driver)

    def nvmlSystemGetCudaDriverVersion_v2(self) -> Any:
        return _answer(self.cuda)

    def nvmlDeviceGetCount(self) -> Any:
        return _answer(self.count)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        if index >= len(self.cards):
            raise NVMLError("Invalid Argument")
        return _answer(self.cards[index])

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        everything = [card for card in self.cards if isinstance(card, FakeCard)]
        everything += [part for card in everything for part in card.parts if isinstance(part, FakeCard)]
        for card in everything:
            if card.uuid == uuid:
                return card
        raise NVMLError("Not Found")

    def nvmlDeviceGetUUID(self, device: FakeCard) -> Any:
        return _of(device, device.uuid)

    def nvmlDeviceGetName(self, device: FakeCard) -> Any:
        return _of(device, device.name)

    def nvmlDeviceGetCudaComputeCapability(self, device: FakeCard) -> Any:
        return _of(device, device.capability)

    def nvmlDeviceGetMemoryInfo(self, device: FakeCard) -> Any:
        used, total = _of(device, device.memory)
        return SimpleNamespace(used=used, total=total)

    def nvmlDeviceGetComputeRunningProcesses_v3(self, device: FakeCard) -> Any:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in _of(device, device.holders)]

    def nvmlDeviceGetTotalEccErrors(self, device: FakeCard, kind: int, counter: int) -> Any:
        assert (kind, counter) == (1, 0)
        return _of(device, device.ecc)

    def nvmlDeviceGetRemappedRows(self, device: FakeCard) -> Any:
        return _of(device, device.remapped)

    def nvmlDeviceGetRetiredPagesPendingStatus(self, device: FakeCard) -> Any:
        return _of(device, device.retired)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, device: FakeCard) -> Any:
        return _of(device, device.throttle)

    def nvmlDeviceGetTemperature(self, device: FakeCard, sensor: int) -> Any:
        assert sensor == 0
        return _of(device, device.degrees)

    def nvmlDeviceGetMigMode(self, device: FakeCard) -> Any:
        return _of(device, device.mig)

    def nvmlDeviceGetMaxMigDeviceCount(self, device: FakeCard) -> Any:
        return _of(device, 7)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: FakeCard, index: int) -> Any:
        if index >= len(device.parts):
            raise NVMLError("Not Found")
        return _of(device, device.parts[index])

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, device: FakeCard) -> Any:
        return _of(device, device.whole)


def _of(device: FakeCard, value: Any) -> Any:
    if device.dies_after is not None:
        if device.dies_after == 0:
            raise GpuIsLost("GPU is lost")
        device.dies_after -= 1
    return _answer(value)


def _answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def divided(*parts: FakeCard, **changes: Any) -> FakeCard:
    """A card in MIG mode, and its parts."""
    card = FakeCard(mig=[1, 1], parts=list(parts), **changes)
    for part in parts:
        part.whole = card
    return card


def part(uuid: str = "MIG-1", **changes: Any) -> FakeCard:
    """A tenth of a card, which knows nothing of the chip that it is on."""
    unknown = NOT_SUPPORTED
    return FakeCard(
        uuid=uuid, name="NVIDIA H100 MIG 1g.10gb", memory=(0, 10 * GIB), capability=unknown, ecc=unknown,
        remapped=unknown, throttle=unknown, degrees=unknown, **changes,
    )  # fmt: skip


T4 = {"name": "Tesla T4", "capability": (7, 5), "memory": (0, 15 * GIB)}
