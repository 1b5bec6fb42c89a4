"""The GPU's kernel of `inft.models.seeded_dropout`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

LANES = 1024
"""Calls of the random number generator in one block; each serves four values."""


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(target, seed, count, threshold, LANES: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    block = tl.program_id(0)
    lane = tl.arange(0, LANES)
    first, second, third, fourth = tl.randint4x(tl.load(seed), block * LANES + lane)
    start = target + block.to(tl.int64) * (4 * LANES)
    left = count - block.to(tl.int64) * (4 * LANES)
    _store(start, lane, left, first, threshold)
    _store(start, lane + LANES, left, second, threshold)
    _store(start, lane + 2 * LANES, left, third, threshold)
    _store(start, lane + 3 * LANES, left, fourth, threshold)


@triton.jit
def _store(start, place, left, number, threshold):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    is_kept = (number.to(tl.uint32) >> 1).to(tl.int32) < threshold
    tl.store(start + place, is_kept.to(tl.int8), place < left)


def draw_mask(shape: torch.Size, seed: Tensor, keep: float) -> Tensor:
    """Independent draws.

    Args:
        shape: of the mask.
        seed: (1,) int64 on a GPU, which the mask follows from.
        keep: probability of True, rounded to 31 bits.

    Returns:
        bool, on the seed's device.
    """
    mask = torch.empty(shape, dtype=torch.int8, device=seed.device)
    count = mask.numel()
    _kernel[(triton.cdiv(count, 4 * LANES),)](mask, seed, count, round(keep * 2**31), LANES=LANES)
    return mask.view(torch.bool)
