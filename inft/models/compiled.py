"""Layers compiled by torch.compile while they train: fewer, larger kernels, and less kept for the backward pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch
import torch._dynamo.config
import torch._functorch.config
from peft import PeftModel
from torch import nn

from inft.models.family import Family
from inft.models.seeded_dropout import draw_seeds, seed_dropouts

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"

VARIANTS = 64
"""Graphs that one kind of layer may have, for inputs with and without gradients, say; torch gives up after 8."""

Progress = Callable[[int, int], None]
"""Layers that have been called once, and how many there are."""


def cache_compiled(folder: Path) -> None:
    """Has compiled code kept in `folder` for later runs, unless the environment names another one."""
    os.environ.setdefault(CACHE_VARIABLE, str(folder))


def compile_layers(model: PeftModel, family: Family, *, budget: float, progress: Progress) -> None:
    """Compiles every layer, at its first call while training, with dropouts that may be recomputed.

    An evaluation runs the layers as they are: it comes with other shapes and masks, and each would be compiled anew.

    Args:
        model: base with adapters.
        family: knows where the layers lie.
        budget: share of what the compiled layers would keep for the backward pass that they may keep; what is cheapest
            to compute again is left out first. 0 = a layer's inputs alone are kept.
        progress: hears of each layer's first call.
    """
    torch._dynamo.config.recompile_limit = VARIANTS
    torch._functorch.config.activation_memory_budget = budget
    layers = family.find_layers(model.get_base_model())
    calls = count(1)
    for layer in layers:
        _compile(layer, lambda: progress(next(calls), len(layers)))


def _compile(layer: nn.Module, on_first_call: Callable[[], object]) -> None:
    plain: Callable[..., Any] = layer.forward
    compiled = torch.compile(plain, dynamic=True)
    dropouts = seed_dropouts(layer)
    device = next(layer.parameters()).device
    is_new = True

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_new
        if not layer.training:
            return plain(*args, **kwargs)
        draw_seeds(dropouts, device)
        output = compiled(*args, **kwargs)
        if is_new:
            is_new = False
            on_first_call()
        return output

    layer.forward = forward
