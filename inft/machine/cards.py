"""The GPUs that a program started from here would find, in full: a look before a run, where `gpus` watches one.

    python -P -m inft.machine.cards

prints what it finds as JSON. A driver that hangs holds its caller in the kernel, where nothing can end it, so that
whoever must not wait has a process of its own look, and leaves it behind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from inft.machine.gpus import (
    MOST_DEGREES,
    NONE_VISIBLE,
    Device,
    Driver,
    Hiding,
    Nvml,
    load_nvml,
    visible_gpus,
    why_none,
    within,
)

DriverState: TypeAlias = Literal["answers", "absent", "not_loaded", "mismatch", "error", "silent"]
"""absent: there is no library of NVIDIA's; not_loaded: the kernel has no driver; mismatch: library and kernel are of
different versions; error: it says something else; silent: it did not answer in time."""

MOST_CARDS = 1024
_MOST_ERRORS = 1 << 40
_MOST_BYTES = 1 << 50

# Source: nvml.h, "Clocks event reasons". A power cap set by software is left out: it is how a busy card works.
_SLOWDOWNS = {
    0x08: "a hardware slowdown",
    0x20: "its temperature (software slowdown)",
    0x40: "its temperature (hardware slowdown)",
    0x80: "an external power brake",
}


@dataclass(frozen=True)
class Holder:
    """A program on a GPU.

    Attributes:
        pid: its number, as the host counts; a container may know it by another one or not at all.
        memory_bytes: what it holds; None where the driver keeps it to itself.
    """

    pid: int
    memory_bytes: int | None


@dataclass(frozen=True)
class Card:
    """A GPU, or a part of one; None = could not be told.

    Attributes:
        index: its number among all of the machine, in the order of the PCI bus; None for a part named by itself.
        uuid: its lasting name.
        name: the model.
        capability: the compute capability, (major, minor).
        total_bytes: memory, all there is.
        free_bytes: memory that no program and not the driver holds.
        holders: the programs on it that can be seen from here.
        uncorrected_errors: memory errors since the driver was loaded that ECC could not put right.
        repair_pending: whether the next reset takes bad memory out of use.
        repair_failed: whether it has run out of spare memory for that.
        slowdowns: why its clock is held down now, in words.
        temperature_c: of the chip, in degrees Celsius.
        lost: whether it has fallen off the bus.
        is_part: whether it is a part of a card (MIG).
        divided: whether it is divided (MIG), and has no part that could be used.
    """

    index: int | None
    uuid: str | None = None
    name: str | None = None
    capability: tuple[int, int] | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    holders: tuple[Holder, ...] = ()
    uncorrected_errors: int | None = None
    repair_pending: bool | None = None
    repair_failed: bool | None = None
    slowdowns: tuple[str, ...] = ()
    temperature_c: float | None = None
    lost: bool = False
    is_part: bool = False
    divided: bool = False


@dataclass(frozen=True)
class Cards:
    """What a look at the GPUs gave.

    Attributes:
        state: whether the driver answers.
        reason: its own words if it does not.
        driver_version: as NVIDIA counts, for instance 580.65.06.
        cuda_version: the newest CUDA that the driver knows, (major, minor).
        on_machine: how many cards the driver knows here; a container may have been given some of the machine's only.
        usable: those that CUDA_VISIBLE_DEVICES leaves; a run uses the first.
        visible: CUDA_VISIBLE_DEVICES, as it can be shown; None = not set.
        hiding: why that leaves none of the cards; None = it leaves some, or there are none.
    """

    state: DriverState
    reason: str = ""
    driver_version: str | None = None
    cuda_version: tuple[int, int] | None = None
    on_machine: int = 0
    usable: tuple[Card, ...] = ()
    visible: str | None = None
    hiding: Hiding | None = None

    @property
    def chosen(self) -> Card | None:
        """The one that a run would use."""
        return self.usable[0] if self.usable else None


def look(visible: str | None, load: Callable[[], Nvml] = load_nvml) -> Cards:
    """One look, which takes as long as the driver does: for ever if it hangs.

    Args:
        visible: the environment variable CUDA_VISIBLE_DEVICES; None = it is not set.
        load: brings the driver's library.
    """
    nvml = load()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Cards(_why(error, nvml), _words(error), visible=shown(visible))
    return _Look(nvml).cards(visible)


def shown(visible: str | None) -> str | None:
    r"""A variable of the environment as JSON can hold it: bytes that are no text become `\udc..`."""
    return None if visible is None else visible.encode("utf-8", "backslashreplace").decode("utf-8")


class _Look(Driver):
    """Looks at everything once; nonsense is no answer either."""

    def cards(self, visible: str | None) -> Cards:
        nvml = self._nvml
        count = _whole(self._ask(nvml.nvmlDeviceGetCount), most=MOST_CARDS) or 0
        devices = [self._ask(nvml.nvmlDeviceGetHandleByIndex, index) for index in range(count)]
        uuids = [_text(self._ask_of(device, nvml.nvmlDeviceGetUUID)) for device in devices]
        hidden = visible is not None and visible.strip() in NONE_VISIBLE
        chosen = [] if hidden else visible_gpus(visible, uuids)
        return Cards(
            state="answers",
            driver_version=_text(self._ask(nvml.nvmlSystemGetDriverVersion)),
            cuda_version=self._cuda_version(),
            on_machine=count,
            usable=tuple(
                self._card(devices[choice], choice) if isinstance(choice, int) else self._named_part(choice)
                for choice in chosen
            ),
            visible=shown(visible),
            hiding=None if visible is None or chosen or not count else why_none(visible, uuids),
        )

    def _cuda_version(self) -> tuple[int, int] | None:
        number = _whole(self._ask(self._nvml.nvmlSystemGetCudaDriverVersion_v2), least=1000, most=1_000_000)
        return None if number is None else (number // 1000, number % 1000 // 10)

    def _card(self, device: Device | None, index: int) -> Card:
        """The card; of a divided one its first part, which is what CUDA takes."""
        mode = self._ask_of(device, self._nvml.nvmlDeviceGetMigMode)
        if device is None or mode is None or mode[0] != 1:
            return self._read(device, device, index)
        places = _whole(self._ask_of(device, self._nvml.nvmlDeviceGetMaxMigDeviceCount), most=MOST_CARDS) or 0
        for place in range(places):
            part = self._ask(self._nvml.nvmlDeviceGetMigDeviceHandleByIndex, device, place)
            if part is not None:
                return self._read(part, device, index)
        return Card(
            index,
            uuid=_text(self._ask(self._nvml.nvmlDeviceGetUUID, device)),
            name=_text(self._ask(self._nvml.nvmlDeviceGetName, device)),
            divided=True,
        )

    def _named_part(self, uuid: str) -> Card:
        part = self._ask(self._nvml.nvmlDeviceGetHandleByUUID, uuid)
        whole = self._ask_of(part, self._nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle)
        return self._read(part, part if whole is None else whole, None, shown(uuid))

    def _read(self, device: Device | None, whole: Device | None, index: int | None, uuid: str | None = None) -> Card:
        """Memory and programs of `device`; what belongs to the chip of `whole`, the card that it is a part of."""
        nvml, ask_of = self._nvml, self._ask_of
        is_part = device is not whole or index is None
        memory = ask_of(device, nvml.nvmlDeviceGetMemoryInfo)
        total = None if memory is None else _whole(memory.total, least=1, most=_MOST_BYTES)
        used = None if memory is None or total is None else _whole(memory.used, most=total)
        rows = ask_of(whole, nvml.nvmlDeviceGetRemappedRows)
        pages = ask_of(whole, nvml.nvmlDeviceGetRetiredPagesPendingStatus)
        pending = [bool(flag) for flag in (None if rows is None else rows[2], pages) if flag is not None]
        return Card(
            index=index,
            uuid=uuid or _text(ask_of(device, nvml.nvmlDeviceGetUUID)),
            name=_text(ask_of(device, nvml.nvmlDeviceGetName)),
            capability=_capability(ask_of(whole, nvml.nvmlDeviceGetCudaComputeCapability)),
            total_bytes=total,
            free_bytes=None if total is None or used is None else total - used,
            holders=self._holders(device),
            uncorrected_errors=_whole(
                ask_of(
                    whole,
                    nvml.nvmlDeviceGetTotalEccErrors,
                    nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                    nvml.NVML_VOLATILE_ECC,
                ),
                most=_MOST_ERRORS,
            ),
            repair_pending=any(pending) if pending else None,
            repair_failed=None if rows is None else bool(rows[3]),
            slowdowns=_slowdowns(ask_of(whole, nvml.nvmlDeviceGetCurrentClocksThrottleReasons)),
            temperature_c=within(
                ask_of(whole, nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU), above=0, most=MOST_DEGREES
            ),
            # Asked last, since it may have gone in the middle of these questions.
            lost=self._is_lost(whole, index),
            is_part=is_part,
        )

    def _is_lost(self, device: Device | None, index: int | None) -> bool:
        nvml = self._nvml
        try:
            if device is not None:
                nvml.nvmlDeviceGetMemoryInfo(device)
            elif index is not None:
                nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError_GpuIsLost:
            return True
        except nvml.NVMLError:
            return False
        return False

    def _holders(self, device: Device | None) -> tuple[Holder, ...]:
        found = self._ask_of(device, self._nvml.nvmlDeviceGetComputeRunningProcesses_v3) or []
        return tuple(Holder(process.pid, _whole(process.usedGpuMemory, most=_MOST_BYTES)) for process in found)


def _why(error: Exception, nvml: Nvml) -> DriverState:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "absent"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "not_loaded"
    return "mismatch" if isinstance(error, nvml.NVMLError_LibRmVersionMismatch) else "error"


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _text(value: str | None) -> str | None:
    """A name as it can be shown; None for one that is empty."""
    return None if value is None else "".join(c if c.isprintable() else "?" for c in value).strip() or None


def _whole(value: int | None, *, least: int = 0, most: int) -> int | None:
    """`value` if it is a count that can be."""
    return value if value is not None and least <= value <= most else None


def _capability(value: tuple[int, int] | None) -> tuple[int, int] | None:
    if value is None or not (1 <= value[0] <= 99 and 0 <= value[1] <= 99):
        return None
    return value[0], value[1]


def _slowdowns(reasons: int | None) -> tuple[str, ...]:
    if reasons is None or reasons < 0:
        return ()
    return tuple(words for bit, words in _SLOWDOWNS.items() if reasons & bit)


def main() -> None:
    """The process that looks for somebody else."""
    found = look(os.environ.get("CUDA_VISIBLE_DEVICES"))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
