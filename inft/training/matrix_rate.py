"""What a GPU reaches in matrix products: the measure that a run's own use of it is held against."""

from __future__ import annotations

import time

import torch

SIDE = 8192
"""Of the square matrices: 1.1 TFLOP a product, so that an H200 (1.5 ms) is busy and no start of a kernel counts.

Three of them take 384 MiB.
"""
LONGEST_S = 0.25
"""Products go on for so long, after which a slow card has done one or two and a fast one has reached its pace."""
MOST = 12


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float | None:
    """Operations a second of the best of a few large products; None without a GPU, or one with no room for them.

    The memory that this takes is given back, and no peak of memory remembers it.

    Args:
        device: the GPU.
        dtype: of the factors, random numbers: of zeros, a card at its power limit would multiply more.
    """
    if device.type != "cuda":
        return None
    try:
        return _best_rate(device, dtype)
    except torch.OutOfMemoryError:  # what needs the memory more says so better, and what to do
        return None
    finally:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _best_rate(device: torch.device, dtype: torch.dtype) -> float:
    generator = torch.Generator(device).manual_seed(0)  # of its own, since training's numbers must not depend on this
    left, right = (torch.randn(SIDE, SIDE, device=device, dtype=dtype, generator=generator) for _ in range(2))
    product = left @ right  # the library is loaded and chooses its kernel
    best = float("inf")
    began = time.perf_counter()
    for _ in range(MOST):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        torch.matmul(left, right, out=product)
        end.record()
        end.synchronize()
        best = min(best, start.elapsed_time(end) / 1e3)
        if time.perf_counter() - began > LONGEST_S:
            break
    return 2 * SIDE**3 / best
