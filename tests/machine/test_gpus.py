from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from inft.machine.gpus import GpuMeter, GpuReading, Nvml, visible_gpus
from tests.machine import driver
from tests.machine.nvml import GIB, FakeNvml, NVMLError

FIRST = GpuReading(0, "GPU-aaaa-1", "NVIDIA H200", 87.0, 70.0, 140.0, 61.0, 512.3, 700.0, 1980.0, 3201.0)
LOST = NVMLError("GPU is lost")


def read(nvml: FakeNvml, visible: str | None = "0") -> list[GpuReading]:
    return GpuMeter(visible, lambda: nvml).read()


def test_every_figure_in_its_unit() -> None:
    assert read(FakeNvml(), None) == [FIRST, replace(FIRST, index=1, uuid="GPU-bbbb-2")]


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ("utilization_percent", ["utilization_percent"]),
        ("memory_bytes", ["memory_used_gib", "memory_total_gib"]),
        ("degrees", ["temperature_c"]),
        ("milliwatts", ["power_w"]),
        ("most_milliwatts", ["power_limit_w"]),
        ("sm_mhz", ["sm_clock_mhz"]),
        ("memory_mhz", ["memory_clock_mhz"]),
        ("model", ["name"]),
        ("uuids", ["uuid"]),
    ],
)
def test_an_error_code_costs_its_own_figure_only(answer: str, fields: list[str]) -> None:
    error = NVMLError("not supported")
    nvml = FakeNvml(**{answer: [error, error] if answer == "uuids" else error})
    assert read(nvml) == [replace(FIRST, **dict.fromkeys(fields))]


@pytest.mark.parametrize(
    ("answer", "value", "field"),
    [
        ("milliwatts", 0, "power_w"),
        ("milliwatts", 2**32 - 1, "power_w"),
        ("utilization_percent", 101, "utilization_percent"),
        ("utilization_percent", -1, "utilization_percent"),
        ("degrees", 0, "temperature_c"),
        ("degrees", -128, "temperature_c"),
        ("degrees", 255, "temperature_c"),
        ("sm_mhz", 0, "sm_clock_mhz"),
        ("sm_mhz", 2**32 - 1, "sm_clock_mhz"),
        ("memory_bytes", (141 * GIB, 140 * GIB), "memory_used_gib"),
        ("memory_bytes", (-1, 140 * GIB), "memory_used_gib"),
    ],
)
def test_nonsense_is_no_figure(answer: str, value: object, field: str) -> None:
    assert read(FakeNvml(**{answer: value})) == [replace(FIRST, **{field: None})]


def test_a_card_without_memory_of_its_own() -> None:
    assert read(FakeNvml(memory_bytes=(0, 0))) == [replace(FIRST, memory_used_gib=None, memory_total_gib=None)]


def test_a_card_at_rest() -> None:
    resting = read(FakeNvml(utilization_percent=0, memory_bytes=(0, 140 * GIB)))
    assert resting == [replace(FIRST, utilization_percent=0.0, memory_used_gib=0.0)]


def test_a_card_that_falls_off_the_bus_keeps_its_name() -> None:
    nvml = FakeNvml()
    meter = GpuMeter("0", lambda: nvml)
    assert meter.read() == [FIRST]
    for answer in (
        "utilization_percent",
        "memory_bytes",
        "degrees",
        "milliwatts",
        "most_milliwatts",
        "sm_mhz",
        "memory_mhz",
    ):
        setattr(nvml, answer, LOST)
    assert [astuple(gpu) for gpu in meter.read()] == [(0, "GPU-aaaa-1", "NVIDIA H200", *[None] * 8)]


def test_no_driver_no_gpus() -> None:
    nvml = FakeNvml(start=NVMLError("library not found"))
    meter = GpuMeter(None, lambda: nvml)
    assert meter.read() == meter.read() == []
    assert nvml.opened == 1


@pytest.mark.parametrize("visible", ["", "-1", " "])
def test_a_run_without_a_gpu_leaves_the_driver_alone(visible: str) -> None:
    def load() -> Nvml:
        raise AssertionError("the library is loaded")

    assert GpuMeter(visible, load).read() == []


def test_a_name_that_is_no_text() -> None:
    nvml = FakeNvml(model=UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "unexpected end of data"))
    assert read(nvml) == [replace(FIRST, name=None)]


def test_a_driver_that_cannot_count() -> None:
    assert read(FakeNvml(number=LOST), None) == []


def test_the_driver_is_opened_once() -> None:
    nvml = FakeNvml()
    meter = GpuMeter(None, lambda: nvml)
    meter.read()
    meter.read()
    assert nvml.opened == 1


def test_part_of_a_card_is_asked_for_by_its_name() -> None:
    (gpu,) = read(FakeNvml(utilization_percent=LOST), "MIG-7a5f")
    assert gpu == replace(FIRST, index=None, uuid="MIG-7a5f", utilization_percent=None)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver.build(tmp_path_factory.mktemp("driver"))


class TestTheRealBinding:
    """`pynvml` itself, on a library of our own."""

    CARD = GpuReading(1, "GPU-1", "NVIDIA H200", 87.0, 69.0, 140.0, 61.0, 512.3, None, 1000.0, 2000.0)
    LOST = GpuReading(0, *[None] * 10)

    def read(self, library: Path, **environment: str) -> list[GpuReading]:
        code = """
        import dataclasses, json, os
        from inft.machine.gpus import GpuMeter
        gpus = GpuMeter(os.environ.get("CUDA_VISIBLE_DEVICES")).read()
        print(json.dumps([dataclasses.asdict(gpu) for gpu in gpus]))
        """
        inherited = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**inherited, "LD_LIBRARY_PATH": str(library), **environment},
            capture_output=True,
            check=True,
        )
        return [GpuReading(**gpu) for gpu in json.loads(done.stdout)]

    def test_every_call(self, library: Path) -> None:
        assert self.read(library) == [self.LOST, self.CARD]

    def test_one_card_of_two(self, library: Path) -> None:
        assert self.read(library, CUDA_VISIBLE_DEVICES="GPU-1") == [self.CARD]

    def test_part_of_a_card(self, library: Path) -> None:
        part = replace(self.CARD, index=None, uuid="MIG-7")
        gone = replace(self.LOST, index=None, uuid="MIG-8")
        assert self.read(library, CUDA_VISIBLE_DEVICES="MIG-7,MIG-8") == [part, gone]

    def test_a_name_that_is_no_text(self, library: Path) -> None:
        assert self.read(library, NO_TEXT="1") == [self.LOST, replace(self.CARD, name=None)]

    def test_a_driver_that_does_not_open(self, library: Path) -> None:
        assert self.read(library, NO_GPU="1") == []


def test_this_machines_own_driver_answers_or_is_not_there() -> None:
    for gpu in GpuMeter(None).read():
        assert gpu.uuid is not None
        assert gpu.uuid.startswith("GPU-")
        assert gpu.memory_total_gib is not None
        assert gpu.temperature_c is not None
        assert GpuMeter(gpu.uuid).read()[0].index == gpu.index


def test_the_binding_is_loaded_for_a_driver_only() -> None:
    code = "import sys; from inft.machine.gpus import GpuMeter; GpuMeter('-1').read(); print('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2,0", [2, 0]),
        (" 1 , 2 ", [1, 2]),
        ("0,7,1", [0]),
        ("0,0", []),
        ("GPU-b", [1]),
        ("GPU-bb1", [1]),
        ("GPU-c,GPU-a", [2, 0]),
        ("GPU-", []),
        ("GPU-nobody", []),
        ("MIG-x,MIG-y", ["MIG-x", "MIG-y"]),
        ("²", []),
    ],
)
def test_which_gpus_a_program_sees(visible: str | None, chosen: list[Any]) -> None:
    assert visible_gpus(visible, ["GPU-aa0", "GPU-bb1", "GPU-cc2"]) == chosen


def test_a_card_without_a_name_can_be_chosen_by_its_number() -> None:
    assert visible_gpus("1", [None, None]) == [1]
    assert visible_gpus("GPU-a", [None, "GPU-a1"]) == [1]
