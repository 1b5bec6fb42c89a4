"""The calls as the C library sees them; a library of our own stands for the driver's."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from inft.machine.nvml import NvmlError, NvmlLibrary

DRIVER = r"""
#include <string.h>
static int opened = 0;
static int card;
static int check(void *device) { return device == &card ? 0 : 2; }
int nvmlInit_v2(void) { opened = 1; return 0; }
int nvmlShutdown(void) { opened = 0; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return opened ? 0 : 1; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &card; return index == 1 ? 0 : 2; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    *device = &card;
    return strcmp(uuid, "MIG-7") == 0 ? 0 : 6;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    strncpy(text, "GPU-1", size);
    return size == 96 ? check(device) : 7;
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    strncpy(text, "caf\xe9", size);
    return size == 96 ? check(device) : 7;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned rates[2]) {
    rates[0] = 87;
    rates[1] = 5;
    return check(device);
}
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long sizes[3]) {
    sizes[0] = 150754820096ULL;
    sizes[1] = 150109880320ULL;
    sizes[2] = 644939776ULL;
    return check(device);
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) {
    *degrees = 61;
    return sensor == 0 ? check(device) : 2;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { *milliwatts = 512300; return check(device); }
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned *mhz) { *mhz = clock * 1000; return check(device); }
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "nvml.c").write_text(DRIVER, encoding="ascii")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "nvml.c"], check=True)
    return str(library)


def test_every_call(driver: str) -> None:
    nvml = NvmlLibrary(driver)
    nvml.open()
    assert nvml.count() == 3
    device = nvml.device(1)
    assert nvml.device_named("MIG-7").value == device.value
    assert (nvml.uuid(device), nvml.name(device)) == ("GPU-1", "caf\ufffd")
    assert nvml.utilization(device) == 87
    assert nvml.memory(device) == (644_939_776, 150_754_820_096)
    assert nvml.temperature(device) == 61
    assert nvml.power(device) == 512_300
    assert (nvml.sm_clock(device), nvml.memory_clock(device)) == (1000, 2000)
    nvml.close()


def test_an_error_code(driver: str) -> None:
    nvml = NvmlLibrary(driver)
    nvml.open()
    with pytest.raises(NvmlError, match="HandleByIndex_v2 answered with error 2"):
        nvml.device(0)
    with pytest.raises(NvmlError, match="error 6"):
        nvml.device_named("MIG-8")
    nvml.close()
    with pytest.raises(NvmlError, match="error 1"):
        nvml.count()


def test_a_call_that_an_old_driver_does_not_have(driver: str) -> None:
    nvml = NvmlLibrary(driver)
    nvml.open()
    with pytest.raises(NvmlError, match="has no nvmlDeviceGetEnforcedPowerLimit"):
        nvml.power_limit(nvml.device(1))


def test_no_driver() -> None:
    nvml = NvmlLibrary("libnvidia-ml-that-is-not-there.so")
    with pytest.raises(NvmlError):
        nvml.open()
    with pytest.raises(NvmlError, match="not open"):
        nvml.count()
