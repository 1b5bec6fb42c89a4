"""Dropout whose mask follows from a seed, and is drawn four values at a time.

The generator makes four random numbers in one go, of which a compiled `nn.Dropout` throws three away; and a graph that
recomputes draws `nn.Dropout`'s mask anew in its backward pass, where it has to be the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

SEEDS = 2**62


class SeededDropout(nn.Module):
    """As `nn.Dropout`: while training, sets each value to 0 with probability `p` and scales up the others.

    Its seed comes from outside of what is compiled: a graph that recomputes would draw another one for its backward
    pass. So `draw_seeds` has to come before every forward pass that a backward pass follows.

    Args:
        p: of a zero; above 0.
    """

    seed: Tensor | None
    """(1,) int64."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.seed = None

    def forward(self, inputs: Tensor) -> Tensor:
        """`inputs` of any shape, with zeros that follow from the seed."""
        if not self.training:
            return inputs
        assert self.seed is not None, "draw_seeds comes first"
        keep = 1 - self.p
        return inputs * mask_like(inputs, self.seed, keep) * (1 / keep)

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        return f"p={self.p}"


def seed_dropouts(layer: nn.Module) -> list[SeededDropout]:
    """Puts a `SeededDropout` in the place of every adapter's dropout in `layer`, and returns them."""
    seeded = []
    for module in layer.modules():
        if isinstance(module, LoraLayer):
            for name, dropout in module.lora_dropout.items():
                if isinstance(dropout, nn.Dropout):
                    module.lora_dropout[name] = SeededDropout(dropout.p)
                    seeded.append(module.lora_dropout[name])
    return seeded


def draw_seeds(dropouts: Sequence[SeededDropout], device: torch.device) -> None:
    """New seeds, from the device's own random numbers.

    Args:
        dropouts: that get them.
        device: of their inputs.
    """
    # Of one tensor of all seeds, each would be a view, and a compiled graph tells views apart by where they begin.
    for dropout in dropouts:
        dropout.seed = torch.randint(SEEDS, (1,), device=device)


@torch.library.custom_op("inft::mask_like", mutates_args=())
def mask_like(shaped: Tensor, seed: Tensor, keep: float) -> Tensor:
    """A mask that follows from its seed alone, so that a backward pass may make it again instead of keeping it.

    Args:
        shaped: of the mask's shape, on the device that makes it.
        seed: (1,) int64, on the same device.
        keep: probability of True.

    Returns:
        bool, contiguous.
    """
    if shaped.is_cuda:
        from inft.models.mask_kernel import draw_mask  # Triton comes with torch's CUDA builds alone

        return draw_mask(shaped.shape, seed, keep)
    generator = torch.Generator().manual_seed(int(seed))
    return torch.rand(shaped.shape, generator=generator) < keep


@mask_like.register_fake
def _(shaped: Tensor, seed: Tensor, keep: float) -> Tensor:
    return torch.empty(shaped.shape, dtype=torch.bool, device=shaped.device)
