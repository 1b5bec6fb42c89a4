"""Driver, GPU, dtype, memory and health of machines that we do not have."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from inft.machine.cards import Cards
from inft.readiness.check import Check
from inft.readiness.gpu import is_expected, judge_bf16, judge_driver, judge_gpu, judge_health, judge_memory
from inft.readiness.libraries import TorchBuild
from inft.readiness.needs import Needs
from tests.machine.fake_machine import (
    GIB,
    T4,
    DriverNotLoaded,
    FakeCard,
    GpuIsLost,
    LibraryNotFound,
    NVMLError,
    VersionMismatch,
    divided,
    part,
)
from tests.readiness.facts import CPU_TORCH, CUDA_TORCH, FULL_SIZE, TINY, machine

ODD = NVMLError("Unknown Error")
ONE_H100 = machine(FakeCard())
NOTHING = machine(start=LibraryNotFound("NVML Shared Library Not Found"))
FP16 = replace(FULL_SIZE, dtype="float16")


class TestDriver:
    def test_it_goes_with_torch(self) -> None:
        check = judge_driver(ONE_H100, CUDA_TORCH, FULL_SIZE)
        assert check == Check(
            "driver", "green", "Driver 580.65.06 knows CUDA 13.0, and torch 2.11.0+cu130 is built for CUDA 13.0."
        )

    @pytest.mark.parametrize(
        ("cuda", "built", "status"),
        [
            (13000, (13, 0), "green"),
            (13020, (13, 0), "green"),
            (13000, (12, 6), "green"),
            (12040, (12, 8), "amber"),
            (12080, (13, 0), "red"),
        ],
    )
    def test_its_cuda_against_torchs(self, cuda: int, built: tuple[int, int], status: str) -> None:
        check = judge_driver(machine(FakeCard(), cuda=cuda), TorchBuild("2.11.0", built), FULL_SIZE)
        assert check.status == status
        assert bool(check.fix) == (status != "green")

    def test_torch_that_is_too_new_names_both(self) -> None:
        check = judge_driver(machine(FakeCard(), cuda=12080), CUDA_TORCH, FULL_SIZE)
        assert "CUDA 12.8" in check.message
        assert "CUDA 13.0" in check.message
        assert "torch built for CUDA 12" in check.fix

    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (TINY, "amber"), (None, "amber")])
    def test_torch_without_cuda(self, needs: Needs | None, status: str) -> None:
        check = judge_driver(ONE_H100, CPU_TORCH, needs)
        assert check.status == status
        assert "built without CUDA" in check.message
        assert "ROCm 6.4" in judge_driver(ONE_H100, replace(CPU_TORCH, rocm="6.4"), needs).message

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (LibraryNotFound(), "There is no NVIDIA driver"),
            (DriverNotLoaded(), "not loaded"),
            (VersionMismatch(), "different versions"),
            (NVMLError("Insufficient Permissions"), "Insufficient Permissions"),
        ],
    )
    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (None, "amber")])
    def test_none(self, error: NVMLError, words: str, needs: Needs | None, status: str) -> None:
        check = judge_driver(machine(start=error), CUDA_TORCH, needs)
        assert check.status == status
        assert words in check.message
        assert check.fix

    def test_one_that_hangs(self) -> None:
        check = judge_driver(Cards("silent"), CUDA_TORCH, FULL_SIZE)
        assert (check.status, check.message) == ("red", "NVIDIA's driver does not answer.")

    def test_a_tiny_model_does_without(self) -> None:
        assert judge_driver(NOTHING, CPU_TORCH, TINY).status == "green"

    def test_one_that_hides_its_version(self) -> None:
        check = judge_driver(machine(FakeCard(), driver=ODD, cuda=ODD), CUDA_TORCH, FULL_SIZE)
        assert check.status == "amber"


class TestGpu:
    def judge(self, cards: Cards, needs: Needs | None = FULL_SIZE, order: str | None = None) -> Check:
        return judge_gpu(cards, CUDA_TORCH, needs, order)

    def test_one(self) -> None:
        assert self.judge(ONE_H100) == Check("gpu", "green", "NVIDIA H100 80GB HBM3, compute capability 9.0.")

    def test_the_first_of_several(self) -> None:
        cards = machine(*(FakeCard(uuid=f"GPU-{n}") for n in range(4)))
        assert self.judge(cards).message.startswith("NVIDIA H100 80GB HBM3: GPU 0 of 4 GPUs; a run uses one")

    def test_one_of_several_that_was_named(self) -> None:
        cards = machine(*(FakeCard(uuid=f"GPU-{n}") for n in range(4)), visible="2")
        check = self.judge(cards)
        assert check.status == "green"
        assert "GPU 2, the first that CUDA_VISIBLE_DEVICES=2 leaves of 4 GPUs" in check.message

    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (TINY, "green"), (None, "amber")])
    @pytest.mark.parametrize(
        "cards", [NOTHING, machine(), machine(FakeCard(), visible=""), Cards("silent"), machine(FakeCard(), count=ODD)]
    )
    def test_none(self, cards: Cards, needs: Needs | None, status: str) -> None:
        assert self.judge(cards, needs).status == status

    def test_hidden_ones_are_counted(self) -> None:
        check = self.judge(machine(FakeCard(), FakeCard(uuid="GPU-b"), visible="-1"))
        assert check.message == "CUDA_VISIBLE_DEVICES=-1 hides all 2 GPUs of this machine."

    @pytest.mark.parametrize(
        ("visible", "words"),
        [
            ("7", "since '7' names none; they are numbered from 0 to 1 here"),
            ("GPU-zz,0", "since 'GPU-zz' names none"),
            ("0,0", "since it names one twice"),
            ("1,GPU-b", "since it names one twice"),
            ("-1,0", "hides all 2 GPUs"),
        ],
    )
    def test_a_selection_that_leaves_none_says_why(self, visible: str, words: str) -> None:
        check = self.judge(machine(FakeCard(uuid="GPU-a"), FakeCard(uuid="GPU-b"), visible=visible))
        assert check.status == "red"
        assert check.message.startswith(f"CUDA_VISIBLE_DEVICES={visible} ")
        assert words in check.message

    def test_a_part(self) -> None:
        check = self.judge(machine(divided(part())))
        assert check.status == "green"
        assert "NVIDIA H100 MIG 1g.10gb" in check.message
        assert "the first part of GPU 0" in check.message

    def test_a_part_that_was_named(self) -> None:
        check = self.judge(machine(divided(part("MIG-1"), part("MIG-2")), visible="MIG-2"))
        assert check.status == "green"
        assert "CUDA_VISIBLE_DEVICES=MIG-2" in check.message

    def test_a_divided_one_without_parts(self) -> None:
        check = self.judge(machine(divided()))
        assert check.status == "red"
        assert "MIG mode" in check.message

    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (None, "amber")])
    def test_one_that_fell_off(self, needs: Needs | None, status: str) -> None:
        check = self.judge(machine(FakeCard(dies_after=4)), needs)
        assert check.status == status
        assert "has fallen off the bus" in check.message

    def test_another_one_that_fell_off(self) -> None:
        check = self.judge(machine(FakeCard(uuid="GPU-a"), GpuIsLost("GPU is lost"), GpuIsLost("GPU is lost")))
        assert check.status == "amber"
        assert check.message.startswith("NVIDIA H100 80GB HBM3: GPU 0 of 3 GPUs")
        assert "but GPU 1 and GPU 2 have fallen off the bus" in check.message
        assert "CUDA_VISIBLE_DEVICES" in check.fix

    def test_one_without_a_name_is_not_unequal(self) -> None:
        assert self.judge(machine(FakeCard(uuid="GPU-a"), FakeCard(uuid="GPU-b", name=ODD))).status == "green"

    @pytest.mark.parametrize(
        ("capability", "version", "cuda", "words"),
        [
            ((7, 0), "2.11.0+cu130", (13, 0), "kernels only from 7.5 on"),
            ((7, 5), "2.11.0+cu130", (13, 0), ""),
            ((7, 0), "2.11.0+cu128", (12, 8), "kernels only from 7.5 on"),
            ((7, 0), "2.10.0+cu128", (12, 8), ""),
            ((6, 1), "2.10.0+cu129", (12, 9), "kernels only from 7.0 on"),
            ((6, 1), "2.13.0+cu126", (12, 6), ""),
            ((3, 7), "2.13.0+cu126", (12, 6), "no kernels for so old a GPU"),
            ((12, 0), "2.13.0+cu126", (12, 6), "no kernels for so new a GPU"),
            ((12, 0), "2.10.0+cu128", (12, 8), ""),
            ((3, 7), "2.13.0+cpu", None, ""),
            ((6, 0), "of my own", (13, 1), "kernels only from 7.5 on"),
        ],
    )
    def test_kernels_of_torch(
        self, capability: tuple[int, int], version: str, cuda: tuple[int, int] | None, words: str
    ) -> None:
        cards = machine(FakeCard(capability=capability))
        for needs, status in ((FULL_SIZE, "red"), (TINY, "red"), (None, "amber")):
            check = judge_gpu(cards, TorchBuild(version, cuda), needs, None)
            assert check.status == (status if words else "green")
            assert words in check.message
            assert ("built for CUDA" in check.fix or "another GPU" in check.fix) == bool(words)

    def test_one_that_says_nothing(self) -> None:
        check = self.judge(machine(FakeCard(name=ODD, capability=ODD)))
        assert check.status == "amber"
        assert "a GPU without a name" in check.message

    def test_unequal_ones_are_cudas_to_number(self) -> None:
        cards = machine(FakeCard(uuid="GPU-b", **T4), FakeCard())
        check = self.judge(cards)
        assert check.status == "amber"
        assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in check.fix
        assert self.judge(cards, order="PCI_BUS_ID").status == "green"


@pytest.mark.parametrize(
    ("cards", "needs", "expected"),
    [
        (ONE_H100, None, True),
        (ONE_H100, TINY, True),
        (NOTHING, FULL_SIZE, True),
        (NOTHING, TINY, False),
        (machine(FakeCard(), visible=""), None, False),
        (machine(divided()), TINY, False),
        (machine(GpuIsLost("GPU is lost")), None, False),
    ],
)
def test_whether_torch_has_to_see_one(cards: Cards, needs: Needs | None, expected: bool) -> None:
    assert is_expected(cards, needs) == expected


class TestBf16:
    def test_with_units(self) -> None:
        assert judge_bf16(ONE_H100, FULL_SIZE).status == "green"

    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (TINY, "red"), (None, "amber"), (FP16, "green")])
    def test_without(self, needs: Needs | None, status: str) -> None:
        check = judge_bf16(machine(FakeCard(**T4)), needs)
        assert check.status == status
        if status != "green":
            assert "Tesla T4 (compute capability 7.5)" in check.message
            assert "--set qlora.bnb_4bit_compute_dtype=float16" in check.fix

    def test_plain_lora_has_another_parameter(self) -> None:
        check = judge_bf16(machine(FakeCard(**T4)), replace(FULL_SIZE, dtype_key="basic.dtype"))
        assert "--set basic.dtype=float16" in check.fix

    def test_fp16_without_a_gpu(self) -> None:
        check = judge_bf16(NOTHING, replace(TINY, dtype="float16"))
        assert check.status == "red"
        assert "bfloat16" in check.fix

    def test_a_cpu(self) -> None:
        assert judge_bf16(NOTHING, TINY).status == "green"

    def test_not_known(self) -> None:
        assert judge_bf16(machine(FakeCard(capability=ODD)), FULL_SIZE).status == "amber"


class TestMemory:
    def test_free(self) -> None:
        check = judge_memory(machine(FakeCard(memory=(GIB // 2, 80 * GIB))), FULL_SIZE, {})
        assert check == Check("gpu memory", "green", "79.5 GiB of 80.0 GiB are free.")

    def test_who_holds_it(self) -> None:
        own = os.getpid()
        cards = machine(FakeCard(memory=(61 * GIB, 80 * GIB), holders=[(4242, 20 * GIB), (own, 40 * GIB)]))
        check = judge_memory(cards, FULL_SIZE, {own: "python"})
        assert check.status == "amber"
        assert check.message == (
            f"19.0 GiB of 80.0 GiB are free; python (process {own}) with 40.0 GiB and process 4242 with 20.0 GiB "
            "hold the rest."
        )

    def test_many_and_unknown_amounts(self) -> None:
        cards = machine(FakeCard(memory=(61 * GIB, 80 * GIB), holders=[(n, None) for n in range(1, 10)]))
        assert "process 4 and 5 more hold the rest" in judge_memory(cards, FULL_SIZE, {}).message

    def test_held_by_somebody_out_of_sight(self) -> None:
        cards = machine(FakeCard(memory=(61 * GIB, 80 * GIB)))
        assert "cannot be seen from here" in judge_memory(cards, FULL_SIZE, {}).message

    @pytest.mark.parametrize(("needs", "status"), [(FULL_SIZE, "red"), (None, "amber")])
    def test_full(self, needs: Needs | None, status: str) -> None:
        cards = machine(FakeCard(memory=(80 * GIB - (GIB >> 1), 80 * GIB), holders=[(1, 79 * GIB)]))
        assert judge_memory(cards, needs, {}).status == status

    def test_not_told(self) -> None:
        assert judge_memory(machine(FakeCard(memory=(-1, 80 * GIB))), FULL_SIZE, {}).status == "amber"

    def test_without_a_gpu_the_light_above_says_it(self) -> None:
        assert judge_memory(NOTHING, FULL_SIZE, {}).status == "green"


class TestHealth:
    @pytest.mark.parametrize(
        ("card", "status", "words"),
        [
            (FakeCard(), "green", "is at 40 degrees"),
            (FakeCard(ecc=2), "amber", "2 errors that ECC could not correct"),
            (FakeCard(remapped=(0, 1, 1, 0)), "amber", "waits to be taken out of use"),
            (FakeCard(retired=1), "amber", "waits to be taken out of use"),
            (FakeCard(remapped=(0, 9, 0, 1)), "red", "no spare rows"),
            (FakeCard(throttle=0x40), "amber", "slowed down by its temperature"),
            (FakeCard(throttle=0x88), "amber", "a hardware slowdown and an external power brake"),
            (FakeCard(throttle=0x4 | 0x1), "green", "no errors"),
            (FakeCard(degrees=95), "amber", "95 degrees"),
            (FakeCard(degrees=-4, ecc=ODD, throttle=ODD), "green", "no trouble"),
        ],
    )
    def test_one(self, card: FakeCard, status: str, words: str) -> None:
        check = judge_health(machine(card))
        assert check.status == status
        assert words in check.message
        assert bool(check.fix) == (status != "green")

    def test_none(self) -> None:
        assert judge_health(NOTHING).status == "green"
