"""Machines and profiles that the judges are shown."""

from __future__ import annotations

from typing import Any

from inft.machine.cards import Cards, look
from inft.readiness.libraries import TorchBuild
from inft.readiness.needs import Needs
from tests.machine.fake_machine import FakeCard, FakeMachine, NVMLError

FULL_SIZE = Needs(gpu=True, dtype="bfloat16", dtype_key="qlora.bnb_4bit_compute_dtype", workers=4, row_bytes=20 << 20)
TINY = Needs(gpu=False, dtype="bfloat16", dtype_key="qlora.bnb_4bit_compute_dtype", workers=1, row_bytes=1 << 20)
CUDA_TORCH = TorchBuild("2.11.0+cu130", (13, 0))
CPU_TORCH = TorchBuild("2.13.0+cpu", None)


def machine(*cards: FakeCard | NVMLError, visible: str | None = None, **changes: Any) -> Cards:
    """What is seen of such a machine."""
    return look(visible, lambda: FakeMachine(*cards, **changes))
