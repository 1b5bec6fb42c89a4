"""Which attention kernels a family, a machine and a way of training rule out, and why; no torch."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

from inft.params import AttentionName, DtypeName, FamilyName

_REFUSED: dict[tuple[FamilyName, AttentionName], str] = {
    ("llama32", "flash"): "Llama 3.2 Vision builds dense cross-attention masks, which FlashAttention cannot take"
}


def why_not(name: AttentionName, family: FamilyName, *, on_gpu: bool, recompute: bool) -> str | None:
    """Why these kernels cannot be used; None if they can.

    Args:
        name: as configured.
        family: the architecture.
        on_gpu: whether there is a CUDA GPU.
        recompute: whether activations are recomputed in the backward pass (`sft.gradient_checkpointing`).
    """
    refused = _REFUSED.get((family, name))
    if refused is not None or name not in ("flex", "flash"):
        return refused
    if not on_gpu:
        return "its kernels need a CUDA GPU for training, and none is visible"
    if name == "flex" and recompute:
        # Seen on an H200 with torch 2.11 and transformers 5.17: CheckpointError in the first backward pass.
        return "its compiled kernels keep other tensors than sft.gradient_checkpointing recomputes"
    if name == "flash" and importlib.util.find_spec("flash_attn") is None:
        return "the package flash-attn is not installed"
    return None


AMPERE = (8, 0)
"""The first compute capability that FlashAttention 2's kernels are written for."""


def why_not_padding_free(capability: tuple[int, int] | None, dtype: DtypeName) -> str | None:
    """Why rows cannot lie end to end (`sft.padding_free`); None if they can.

    Args:
        capability: the GPU's compute capability; None without a GPU, where nothing is asked for.
        dtype: that the run computes in.
    """
    if capability is None:
        return None
    if capability < AMPERE:
        found = ".".join(map(str, capability))
        return f"its kernels need a GPU of compute capability 8.0 or newer, and this one has {found}"
    if dtype == "float32":
        return "its kernels compute in 16 bit, and the run in float32"
    return None


def why_not_compiled(*, on_gpu: bool) -> str | None:
    """Why layers cannot be compiled here (`sft.torch_compile`); None if they can, as far as can be seen without trying.

    Args:
        on_gpu: whether for a GPU, by Triton and a C compiler, or for the processor, by a C++ compiler.
    """
    if on_gpu and importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    variable, names = ("CC", ("gcc", "clang", "cc")) if on_gpu else ("CXX", ("g++", "clang++", "c++"))
    stated = os.environ.get(variable)
    if not any(map(shutil.which, (stated,) if stated else names)):
        return f"there is no compiler ({stated or ', '.join(names)})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's header files are not installed (the package python3-dev, on Debian and Ubuntu)"
    return None
