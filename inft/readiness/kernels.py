"""Which GPUs the installed torch has kernels for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inft.readiness.libraries import TorchBuild


@dataclass(frozen=True)
class _Kernels:
    """The least compute capability of PyTorch's own wheels, from this CUDA and this torch on; (major, minor) each."""

    cuda: tuple[int, int]
    torch: tuple[int, int]
    least: tuple[int, int]


# Source: pytorch/pytorch, RELEASE.md, "PyTorch CUDA Support Matrix" of 2.10 to 2.12. CUDA 13 itself compiles for
# nothing before Turing, and CUDA 12 for nothing before Maxwell.
_KERNELS = (
    _Kernels((13, 0), (0, 0), (7, 5)),
    _Kernels((12, 8), (2, 11), (7, 5)),
    _Kernels((12, 8), (0, 0), (7, 0)),
    _Kernels((0, 0), (0, 0), (5, 0)),
)

_BLACKWELL = (10, 0)
_BLACKWELL_CUDA = (12, 8)
"""The first CUDA that compiles for it."""

_INDEX = "https://download.pytorch.org/whl"


def missing_kernels(capability: tuple[int, int], torch: TorchBuild) -> tuple[str, str] | None:
    """Why the installed torch cannot compute on a GPU, and what to do; None = nothing that is known.

    Args:
        capability: the GPU's compute capability, (major, minor).
        torch: the installed torch; one without CUDA lacks more than kernels, and is not judged here.
    """
    if torch.cuda is None:
        return None
    built = f"torch {torch.version}, built for CUDA {torch.cuda[0]}.{torch.cuda[1]},"
    least = _least(torch.version, torch.cuda)
    if capability < _KERNELS[-1].least:
        return f"{built} has no kernels for so old a GPU", "Use another GPU, since no torch that fits computes on it."
    if capability < least:
        return (
            f"{built} has kernels only from {least[0]}.{least[1]} on",
            f"Install a torch built for CUDA 12.6 (pip install torch --index-url {_INDEX}/cu126).",
        )
    if capability >= _BLACKWELL and torch.cuda < _BLACKWELL_CUDA:
        return (
            f"{built} has no kernels for so new a GPU",
            f"Install a torch built for CUDA 13 (pip install torch --index-url {_INDEX}/cu130).",
        )
    return None


def _least(version: str, cuda: tuple[int, int]) -> tuple[int, int]:
    release = re.match(r"(\d+)\.(\d+)", version)
    numbers = (int(release[1]), int(release[2])) if release else (0, 0)
    return next(row.least for row in _KERNELS if cuda >= row.cuda and numbers >= row.torch)
