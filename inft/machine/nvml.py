"""NVIDIA's management library (NVML), as far as it is used here, straight from the C library that the driver brings.

The package nvidia-ml-py has all of its calls, and to import it takes 3 MB and 30 ms, which count in a supervisor.
Source: the reference of the NVML API, https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

import ctypes
from typing import Protocol, TypeAlias

_LIBRARY = "libnvidia-ml.so.1"

_TEMPERATURE_OF_GPU = 0
_CLOCK_OF_SM = 1
_CLOCK_OF_MEMORY = 2
_TEXT_BYTES = 96
"""What NVML promises to stay within, for names and UUIDs."""

Device: TypeAlias = ctypes.c_void_p
"""A GPU, or part of one, as NVML knows it while it is open."""


class NvmlError(Exception):
    """NVML is not there, or answered with an error code."""


class Nvml(Protocol):
    """The questions that can be asked; each raises `NvmlError` where there is no answer."""

    def open(self) -> None:
        """Connects to the driver; everything else comes after that."""

    def close(self) -> None:
        """Lets go of the driver."""

    def count(self) -> int:
        """How many GPUs there are."""

    def device(self, index: int) -> Device:
        """The GPU with this number, in the order of the PCI bus."""

    def device_named(self, uuid: str) -> Device:
        """The GPU, or the part of one, with this lasting name."""

    def uuid(self, device: Device) -> str:
        """Its lasting name."""

    def name(self, device: Device) -> str:
        """Its model."""

    def utilization(self, device: Device) -> int:
        """Percent of the last moments in which some kernel ran."""

    def memory(self, device: Device) -> tuple[int, int]:
        """Bytes used, and bytes there are."""

    def temperature(self, device: Device) -> int:
        """Of the chip, in degrees Celsius."""

    def power(self, device: Device) -> int:
        """What it draws, in milliwatts."""

    def power_limit(self, device: Device) -> int:
        """What it may draw, in milliwatts."""

    def sm_clock(self, device: Device) -> int:
        """Clock of its processors, in MHz."""

    def memory_clock(self, device: Device) -> int:
        """Clock of its memory, in MHz."""


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class NvmlLibrary:
    """The library of this machine's driver.

    Args:
        path: where it is, or under which name the system finds it.
    """

    def __init__(self, path: str = _LIBRARY) -> None:
        self._path = path
        self._library: ctypes.CDLL | None = None

    def open(self) -> None:
        """See `Nvml`."""
        try:
            self._library = ctypes.CDLL(self._path)
        except OSError as error:
            raise NvmlError(str(error)) from error
        self._call("nvmlInit_v2")

    def close(self) -> None:
        """See `Nvml`."""
        self._call("nvmlShutdown")

    def count(self) -> int:
        """See `Nvml`."""
        number = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(number))
        return number.value

    def device(self, index: int) -> Device:
        """See `Nvml`."""
        found = Device()
        self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(found))
        return found

    def device_named(self, uuid: str) -> Device:
        """See `Nvml`."""
        found = Device()
        self._call("nvmlDeviceGetHandleByUUID", ctypes.c_char_p(uuid.encode()), ctypes.byref(found))
        return found

    def uuid(self, device: Device) -> str:
        """See `Nvml`."""
        return self._text("nvmlDeviceGetUUID", device)

    def name(self, device: Device) -> str:
        """See `Nvml`."""
        return self._text("nvmlDeviceGetName", device)

    def utilization(self, device: Device) -> int:
        """See `Nvml`."""
        rates = _Utilization()
        self._call("nvmlDeviceGetUtilizationRates", device, ctypes.byref(rates))
        return int(rates.gpu)

    def memory(self, device: Device) -> tuple[int, int]:
        """See `Nvml`."""
        memory = _Memory()
        self._call("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
        return int(memory.used), int(memory.total)

    def temperature(self, device: Device) -> int:
        """See `Nvml`."""
        return self._number("nvmlDeviceGetTemperature", device, ctypes.c_uint(_TEMPERATURE_OF_GPU))

    def power(self, device: Device) -> int:
        """See `Nvml`."""
        return self._number("nvmlDeviceGetPowerUsage", device)

    def power_limit(self, device: Device) -> int:
        """See `Nvml`."""
        return self._number("nvmlDeviceGetEnforcedPowerLimit", device)

    def sm_clock(self, device: Device) -> int:
        """See `Nvml`."""
        return self._number("nvmlDeviceGetClockInfo", device, ctypes.c_uint(_CLOCK_OF_SM))

    def memory_clock(self, device: Device) -> int:
        """See `Nvml`."""
        return self._number("nvmlDeviceGetClockInfo", device, ctypes.c_uint(_CLOCK_OF_MEMORY))

    def _number(self, function: str, *arguments: object) -> int:
        answer = ctypes.c_uint()
        self._call(function, *arguments, ctypes.byref(answer))
        return answer.value

    def _text(self, function: str, device: Device) -> str:
        answer = ctypes.create_string_buffer(_TEXT_BYTES)
        self._call(function, device, answer, ctypes.c_uint(_TEXT_BYTES))
        return answer.value.decode("utf-8", "replace")

    def _call(self, function: str, *arguments: object) -> None:
        if self._library is None:
            raise NvmlError("NVML is not open.")
        try:
            code = self._library[function](*arguments)
        except AttributeError as error:
            raise NvmlError(f"This driver has no {function}.") from error
        if code != 0:
            raise NvmlError(f"{function} answered with error {code}.")
