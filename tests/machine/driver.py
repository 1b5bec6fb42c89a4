"""A library of our own in place of NVIDIA's, for the real `pynvml` in a process that is started with `environment`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int opened = 0;
static int card;
static int check(void *device) { return device == &card ? 0 : 2; }
int nvmlInitWithFlags(unsigned flags) { opened = 1; return getenv("NO_GPU") ? 9 : 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return opened ? 0 : 1; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &card; return index == 1 ? 0 : 15; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    *device = &card;
    return strcmp(uuid, "MIG-7") == 0 ? 0 : 6;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    strncpy(text, "GPU-1", size);
    return check(device);
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    strncpy(text, getenv("NO_TEXT") ? "caf\xe9" : "NVIDIA H200", size);
    return check(device);
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned rates[2]) {
    while (getenv("HANGS")) sleep(1);
    rates[0] = 87;
    rates[1] = 5;
    return check(device);
}
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long sizes[3]) {
    sizes[0] = 140ULL << 30;
    sizes[1] = 70ULL << 30;
    sizes[2] = 69ULL << 30;
    return check(device);
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    while (getenv("HANGS_AT_ONCE")) sleep(1);
    strncpy(text, "580.65.06", size);
    return 0;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    *major = 9;
    *minor = 0;
    return check(device);
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) {
    *degrees = 61;
    return sensor == 0 ? check(device) : 2;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { *milliwatts = 512300; return check(device); }
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned *mhz) { *mhz = clock * 1000; return check(device); }
"""
"""It knows two cards, of which the first is lost, and lacks a function, as an old driver does."""


def build(folder: Path) -> Path:
    """Builds the library in `folder`, which is then for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (folder / "nvml.c").write_text(SOURCE, encoding="ascii")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "nvml.c"], check=True)
    return folder
