"""What the driver tells of machines that we do not have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inft.machine.cards import Card, Cards, Holder, look
from tests.machine import driver
from tests.machine.fake_machine import (
    GIB,
    DriverNotLoaded,
    FakeCard,
    FakeMachine,
    GpuIsLost,
    LibraryNotFound,
    NVMLError,
    VersionMismatch,
    divided,
    part,
)

H100 = Card(
    index=0,
    uuid="GPU-aaaa-1",
    name="NVIDIA H100 80GB HBM3",
    capability=(9, 0),
    total_bytes=80 * GIB,
    free_bytes=78 * GIB,
    uncorrected_errors=0,
    repair_pending=False,
    repair_failed=False,
    temperature_c=40.0,
)
ODD = NVMLError("Unknown Error")


def seen(*cards: FakeCard | NVMLError, visible: str | None = None, **changes: Any) -> Cards:
    return look(visible, lambda: FakeMachine(*cards, **changes))


def test_one_card() -> None:
    assert seen(FakeCard()) == Cards(
        "answers", driver_version="580.65.06", cuda_version=(13, 0), on_machine=1, usable=(H100,)
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (LibraryNotFound("NVML Shared Library Not Found"), "absent"),
        (DriverNotLoaded("Driver Not Loaded"), "not_loaded"),
        (VersionMismatch("RM has detected an NVML/RM version mismatch."), "mismatch"),
        (NVMLError("Insufficient\n Permissions."), "error"),
    ],
)
def test_a_driver_that_does_not_start(error: NVMLError, state: str) -> None:
    found = seen(start=error)
    assert (found.state, found.usable) == (state, ())
    assert found.reason == " ".join(str(error).split()).rstrip(".")


def test_four_cards_of_which_one_may_be_used() -> None:
    cards = [FakeCard(uuid=f"GPU-{letter}") for letter in "abcd"]
    found = seen(*cards, visible="2,3")
    assert (found.on_machine, found.visible) == (4, "2,3")
    assert [card.uuid for card in found.usable] == ["GPU-c", "GPU-d"]
    assert found.chosen is not None
    assert found.chosen.index == 2


@pytest.mark.parametrize("visible", ["", "-1", "7"])
def test_all_cards_hidden(visible: str) -> None:
    found = seen(FakeCard(), visible=visible)
    assert found.hiding == ("unknown" if visible == "7" else "asked")
    assert (found.on_machine, found.usable, found.chosen) == (1, (), None)


class TestParts:
    def test_of_a_divided_card_cuda_takes_the_first(self) -> None:
        gone = NVMLError("Not Found")
        card = divided(part("MIG-1"), part("MIG-2"), degrees=71, ecc=3)
        card.parts.insert(0, gone)
        (found,) = seen(card).usable
        assert (found.uuid, found.index, found.is_part) == ("MIG-1", 0, True)
        assert (found.total_bytes, found.free_bytes) == (10 * GIB, 10 * GIB)
        # What belongs to the chip is the whole card's.
        assert (found.capability, found.temperature_c, found.uncorrected_errors) == ((9, 0), 71.0, 3)

    def test_named(self) -> None:
        (found,) = seen(divided(part("MIG-1"), part("MIG-2")), visible="MIG-2").usable
        assert (found.uuid, found.index, found.is_part, found.capability) == ("MIG-2", None, True, (9, 0))

    def test_named_and_not_there(self) -> None:
        (found,) = seen(divided(part("MIG-1")), visible="MIG-9").usable
        assert found == Card(None, uuid="MIG-9", is_part=True)

    def test_a_divided_card_without_any(self) -> None:
        (found,) = seen(divided()).usable
        assert found == Card(0, uuid=H100.uuid, name=H100.name, divided=True)

    def test_mig_that_is_off(self) -> None:
        assert seen(FakeCard(mig=[0, 0])).usable == (H100,)


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ("uuid", {"uuid": None}),
        ("name", {"name": None}),
        ("capability", {"capability": None}),
        ("memory", {"total_bytes": None, "free_bytes": None}),
        ("holders", {}),
        ("ecc", {"uncorrected_errors": None}),
        ("remapped", {"repair_pending": None, "repair_failed": None}),
        ("throttle", {}),
        ("degrees", {"temperature_c": None}),
    ],
)
def test_an_error_code_costs_its_own_figure_only(answer: str, fields: dict[str, None]) -> None:
    assert seen(FakeCard(**{answer: ODD})).usable == (replace(H100, **fields),)


@pytest.mark.parametrize(
    ("answer", "value", "fields"),
    [
        ("name", UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "unexpected end of data"), {"name": None}),
        ("name", "\x1b[31mH100\n", {"name": "?[31mH100?"}),
        ("name", "", {"name": None}),
        ("capability", (0, 0), {"capability": None}),
        ("capability", (-9, 3), {"capability": None}),
        ("memory", (-1, 80 * GIB), {"free_bytes": None}),
        ("memory", (81 * GIB, 80 * GIB), {"free_bytes": None}),
        ("memory", (0, 0), {"total_bytes": None, "free_bytes": None}),
        ("memory", (0, 2**64 - 1), {"total_bytes": None, "free_bytes": None}),
        ("ecc", 2**64 - 1, {"uncorrected_errors": None}),
        ("ecc", -4, {"uncorrected_errors": None}),
        ("throttle", -1, {}),
        ("degrees", -128, {"temperature_c": None}),
        ("degrees", 255, {"temperature_c": None}),
        ("holders", [(77, None), (78, -5)], {"holders": (Holder(77, None), Holder(78, None))}),
    ],
)
def test_nonsense_is_no_figure(answer: str, value: Any, fields: dict[str, Any]) -> None:
    assert seen(FakeCard(**{answer: value})).usable == (replace(H100, **fields),)


@pytest.mark.parametrize("answered", range(12))
def test_a_card_that_falls_off_in_the_middle_is_called_lost(answered: int) -> None:
    (found,) = seen(FakeCard(dies_after=answered)).usable
    assert found.lost


def test_a_card_that_was_lost_before() -> None:
    assert seen(GpuIsLost("GPU is lost"), FakeCard()).usable[0] == Card(0, lost=True)


def test_a_driver_that_cannot_count_or_say_its_version() -> None:
    found = seen(FakeCard(), count=ODD, driver=ODD, cuda=ODD)
    assert found == Cards("answers")
    assert seen(FakeCard(), count=-3).on_machine == 0
    assert seen(FakeCard(), cuda=-1).cuda_version is None


def test_health() -> None:
    (found,) = seen(FakeCard(ecc=2, remapped=(0, 1, 1, 1), throttle=0x8 | 0x40 | 0x4, degrees=91)).usable
    assert (found.uncorrected_errors, found.repair_pending, found.repair_failed) == (2, True, True)
    assert found.slowdowns == ("a hardware slowdown", "its temperature (hardware slowdown)")


def test_pages_to_be_retired() -> None:
    (found,) = seen(FakeCard(remapped=ODD, retired=1)).usable
    assert (found.repair_pending, found.repair_failed) == (True, None)


def test_the_program_prints_it_with_nvidias_own_binding(tmp_path: Path) -> None:
    library = driver.build(tmp_path)
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "inft.machine.cards"],
        env={**environment, "LD_LIBRARY_PATH": str(library)},
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["state"], found["driver_version"], found["cuda_version"]) == ("answers", "580.65.06", [13, 0])
    lost, card = found["usable"]
    assert (lost["index"], lost["lost"]) == (0, True)
    assert (card["name"], card["capability"], card["free_bytes"]) == ("NVIDIA H200", [9, 0], 71 * GIB)


@pytest.mark.parametrize("visible", [b"0,caf\xe9", b"MIG-\xe9"])
def test_the_program_prints_what_is_no_text(tmp_path: Path, visible: bytes) -> None:
    environment = {**os.environb, b"LD_LIBRARY_PATH": bytes(driver.build(tmp_path)), b"CUDA_VISIBLE_DEVICES": visible}
    program = [sys.executable, "-P", "-m", "inft.machine.cards"]
    done = subprocess.run(program, env=environment, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["visible"] == visible.decode("ascii", "surrogateescape").replace("\udce9", "\\udce9")
