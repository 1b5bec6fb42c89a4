"""Normalisations of a vision tower that hand on what the run computes in, instead of fp32."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def narrow_norms(model: nn.Module) -> None:
    """Has every `nn.LayerNorm` of bf16 weights return bf16.

    Under autocast it computes in fp32, as it should, and returns that too; 4-bit layers and those held dequantised
    return what they are given, and from the first layer on all of the tower's sums are fp32, twice the bytes to move
    and to keep. The released models' own inference has them in bf16, as the language models have theirs here anyway.
    fp16 is left alone: its range is too small for sums over a tower.
    """
    for module in model.modules():
        if isinstance(module, nn.LayerNorm) and module.weight.dtype == torch.bfloat16:
            module.register_forward_hook(_narrowed)


def _narrowed(norm: nn.LayerNorm, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.to(norm.weight.dtype)
