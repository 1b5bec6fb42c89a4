"""What the GPUs do, as NVIDIA's driver tells it.

Every single figure may be None: drivers answer with an error code where a card does not have a sensor, has fallen off
the bus or is in the middle of a reset, and sometimes with nonsense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from inft.machine.units import GIB

T = TypeVar("T")

# No card draws or stands that much; what lies beyond is a fault of the sensor.
_MOST_WATTS = 5000.0
MOST_DEGREES = 150.0
_MOST_MHZ = 20_000.0

NONE_VISIBLE = ("", "-1")
"""Values of CUDA_VISIBLE_DEVICES that hide every GPU."""

Hiding: TypeAlias = Literal["asked", "unknown", "twice"]
"""Why CUDA_VISIBLE_DEVICES leaves no GPU: it was asked to, its first entry names none, or one is named twice."""

Device: TypeAlias = object
"""A GPU, or a part of one, as the driver knows it."""


class Utilization(Protocol):
    """What NVML calls utilization rates."""

    gpu: int


class Memory(Protocol):
    """Memory of a GPU, in bytes."""

    used: int
    total: int


class GpuProcess(Protocol):
    """A program on a GPU; the memory in bytes, None where the driver keeps it to itself."""

    pid: int
    usedGpuMemory: int | None


class Nvml(Protocol):
    """What is used of the module `pynvml`, which has no types; each function raises its `NVMLError`."""

    NVMLError: type[Exception]
    NVMLError_LibraryNotFound: type[Exception]
    NVMLError_DriverNotLoaded: type[Exception]
    NVMLError_LibRmVersionMismatch: type[Exception]
    NVMLError_GpuIsLost: type[Exception]
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED: int
    NVML_VOLATILE_ECC: int
    NVML_TEMPERATURE_GPU: int
    NVML_CLOCK_SM: int
    NVML_CLOCK_MEM: int
    nvmlInit: Callable[[], None]
    nvmlDeviceGetCount: Callable[[], int]
    nvmlDeviceGetHandleByIndex: Callable[[int], Device]
    nvmlDeviceGetHandleByUUID: Callable[[str], Device]
    nvmlDeviceGetUUID: Callable[[Device], str]
    nvmlDeviceGetName: Callable[[Device], str]
    nvmlDeviceGetUtilizationRates: Callable[[Device], Utilization]
    nvmlDeviceGetMemoryInfo: Callable[[Device], Memory]
    nvmlDeviceGetTemperature: Callable[[Device, int], int]
    nvmlDeviceGetPowerUsage: Callable[[Device], int]
    nvmlDeviceGetEnforcedPowerLimit: Callable[[Device], int]
    nvmlDeviceGetClockInfo: Callable[[Device, int], int]
    nvmlSystemGetDriverVersion: Callable[[], str]
    nvmlSystemGetCudaDriverVersion_v2: Callable[[], int]
    nvmlDeviceGetCudaComputeCapability: Callable[[Device], tuple[int, int]]
    nvmlDeviceGetComputeRunningProcesses_v3: Callable[[Device], list[GpuProcess]]
    nvmlDeviceGetTotalEccErrors: Callable[[Device, int, int], int]
    nvmlDeviceGetRemappedRows: Callable[[Device], tuple[int, int, int, int]]
    nvmlDeviceGetRetiredPagesPendingStatus: Callable[[Device], int]
    nvmlDeviceGetCurrentClocksThrottleReasons: Callable[[Device], int]
    nvmlDeviceGetMigMode: Callable[[Device], list[int]]
    nvmlDeviceGetMaxMigDeviceCount: Callable[[Device], int]
    nvmlDeviceGetMigDeviceHandleByIndex: Callable[[Device, int], Device]
    nvmlDeviceGetDeviceHandleFromMigDeviceHandle: Callable[[Device], Device]


def load_nvml() -> Nvml:
    """NVIDIA's own binding to the library of the driver, of which `nvmlInit` then says whether it is there."""
    import pynvml  # 3 MB that a run without a GPU does without

    nvml: Nvml = pynvml
    return nvml


@dataclass(frozen=True)
class GpuReading:
    """One look at one GPU; None = could not be told.

    Attributes:
        index: its number among all of the machine, in the order of the PCI bus; None for a part of a card (MIG).
        uuid: its lasting name.
        name: the model.
        utilization_percent: share of the last moments in which some kernel ran.
        memory_used_gib: by all programs and the driver.
        memory_total_gib: all there is.
        temperature_c: of the chip, in degrees Celsius.
        power_w: what it draws, in watts.
        power_limit_w: what it may draw.
        sm_clock_mhz: clock of its processors.
        memory_clock_mhz: clock of its memory.
    """

    index: int | None
    uuid: str | None
    name: str | None
    utilization_percent: float | None
    memory_used_gib: float | None
    memory_total_gib: float | None
    temperature_c: float | None
    power_w: float | None
    power_limit_w: float | None
    sm_clock_mhz: float | None
    memory_clock_mhz: float | None


@dataclass(frozen=True)
class _Gpu:
    device: Device | None
    index: int | None
    uuid: str | None
    name: str | None


class GpuMeter:
    """Looks at the GPUs that programs started from here can use.

    The driver is first asked in `read`, which may take seconds, and for ever if the driver hangs.

    Args:
        visible: the environment variable CUDA_VISIBLE_DEVICES; None = it is not set, and all GPUs can be used. Its
            numbers are taken in the order of the PCI bus, which on a machine of unequal cards is CUDA's own order only
            with CUDA_DEVICE_ORDER=PCI_BUS_ID.
        load: brings the driver's library; not called where no GPU can be used.
    """

    def __init__(self, visible: str | None, load: Callable[[], Nvml] = load_nvml) -> None:
        self._visible = visible
        self._load = load
        self._driver: _Readings | None = None
        self._gpus: list[_Gpu] = []

    def read(self) -> list[GpuReading]:
        """One look at each; empty on a machine without NVIDIA's driver."""
        if self._visible is not None and self._visible.strip() in NONE_VISIBLE:
            return []  # and the driver's library, which takes 19 MB, is not loaded for it
        if self._driver is None:
            self._driver = _Readings(self._load())
            self._gpus = self._driver.find(self._visible)
        return [self._driver.look_at(gpu) for gpu in self._gpus]


class Driver:
    """Asks `nvml`; where that raises its error, or has or is given a name that is no text, the answer is None."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    def _ask(self, question: Callable[..., T], *arguments: object) -> T | None:
        try:
            return question(*arguments)
        except (self._nvml.NVMLError, UnicodeError):
            return None

    def _ask_of(self, device: Device | None, question: Callable[..., T], *arguments: object) -> T | None:
        return None if device is None else self._ask(question, device, *arguments)


class _Readings(Driver):
    """Watches the GPUs that a program sees."""

    def find(self, visible: str | None) -> list[_Gpu]:
        nvml = self._nvml
        try:
            nvml.nvmlInit()
        except nvml.NVMLError:
            return []
        count = self._ask(nvml.nvmlDeviceGetCount) or 0
        devices = [self._ask(nvml.nvmlDeviceGetHandleByIndex, index) for index in range(count)]
        uuids = [self._ask_of(device, nvml.nvmlDeviceGetUUID) for device in devices]
        found = []
        for choice in visible_gpus(visible, uuids):
            if isinstance(choice, int):
                device, index, uuid = devices[choice], choice, uuids[choice]
            else:
                device, index, uuid = self._ask(nvml.nvmlDeviceGetHandleByUUID, choice), None, choice
            found.append(_Gpu(device, index, uuid, self._ask_of(device, nvml.nvmlDeviceGetName)))
        return found

    def look_at(self, gpu: _Gpu) -> GpuReading:
        nvml, device, ask_of = self._nvml, gpu.device, self._ask_of
        rates = ask_of(device, nvml.nvmlDeviceGetUtilizationRates)
        memory = ask_of(device, nvml.nvmlDeviceGetMemoryInfo)
        used, total = (None, None) if memory is None else (memory.used, memory.total)
        total_gib = within(_scaled(total, GIB), above=0)
        temperature = ask_of(device, nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU)
        power = ask_of(device, nvml.nvmlDeviceGetPowerUsage)
        power_limit = ask_of(device, nvml.nvmlDeviceGetEnforcedPowerLimit)
        sm_clock = ask_of(device, nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM)
        memory_clock = ask_of(device, nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM)
        return GpuReading(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.name,
            utilization_percent=within(None if rates is None else rates.gpu, least=0, most=100),
            memory_used_gib=None if total_gib is None else within(_scaled(used, GIB), least=0, most=total_gib),
            memory_total_gib=total_gib,
            temperature_c=within(temperature, above=0, most=MOST_DEGREES),
            # A card draws something as long as it answers: 0 is what a sensor says that cannot tell.
            power_w=within(_scaled(power, 1000), above=0, most=_MOST_WATTS),
            power_limit_w=within(_scaled(power_limit, 1000), above=0, most=_MOST_WATTS),
            sm_clock_mhz=within(sm_clock, above=0, most=_MOST_MHZ),
            memory_clock_mhz=within(memory_clock, above=0, most=_MOST_MHZ),
        )


def visible_gpus(visible: str | None, uuids: Sequence[str | None]) -> list[int | str]:
    """What CUDA_VISIBLE_DEVICES selects, by CUDA's rules.

    Args:
        visible: its value: numbers, or beginnings of lasting names; None = not set.
        uuids: the lasting names of the machine's GPUs, in their order.

    Returns:
        The places of the GPUs in `uuids`; a part of a card (MIG) by its own name. As in CUDA, the first entry that
        means nothing ends the list, and an entry that comes twice leaves nothing.

    >>> visible_gpus("1,0,-1,2", ["GPU-a1", "GPU-b2", "GPU-c3"]), visible_gpus("GPU-b", ["GPU-a1", "GPU-b2"])
    ([1, 0], [1])
    """
    if visible is None:
        return list(range(len(uuids)))
    chosen: list[int | str] = []
    for entry in map(str.strip, visible.split(",")):
        found = _meant(entry, uuids)
        if found is None:
            break
        if found in chosen:
            return []
        chosen.append(found)
    return chosen


def why_none(visible: str, uuids: Sequence[str | None]) -> Hiding:
    """Why `visible_gpus` gives none on a machine that has some.

    >>> why_none("-1", ["GPU-a1"]), why_none("7,0", ["GPU-a1"]), why_none("0,GPU-a", ["GPU-a1"])
    ('asked', 'unknown', 'twice')
    """
    first = visible.split(",")[0].strip()
    if first in NONE_VISIBLE:
        return "asked"
    return "unknown" if _meant(first, uuids) is None else "twice"


def _meant(entry: str, uuids: Sequence[str | None]) -> int | str | None:
    if entry.startswith("MIG-"):
        return entry
    if entry.startswith("GPU-"):
        matches = [place for place, uuid in enumerate(uuids) if uuid is not None and uuid.startswith(entry)]
        return matches[0] if len(matches) == 1 else None
    place = int(entry) if entry.isascii() and entry.isdigit() else -1
    return place if 0 <= place < len(uuids) else None


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value / unit


def within(
    value: float | None, *, least: float = 0.0, above: float | None = None, most: float = float("inf")
) -> float | None:
    """`value` if it is a figure that can be."""
    if value is None or not least <= value <= most or (above is not None and value <= above):
        return None
    return float(value)
