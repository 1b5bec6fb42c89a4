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
from torch._dynamo.exc import FailOnRecompileLimitHit

from inft.data.workers import shielded_children
from inft.models.family import Family
from inft.models.seeded_dropout import draw_seeds, seed_dropouts

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"

VARIANTS = 64
"""Graphs that one kind of layer may have, for inputs with and without gradients, say; torch gives up after 8."""

Progress = Callable[[int, int], None]
"""Layers that have been called once, and how many there are."""

Warn = Callable[[str], None]
"""Hears that a layer runs as it is from now on."""


def cache_compiled(folder: Path) -> None:
    """Has compiled code kept in `folder` for later runs, unless the environment names another one."""
    os.environ.setdefault(CACHE_VARIABLE, str(folder))


def compile_layers(model: PeftModel, family: Family, *, budget: float, progress: Progress, warn: Warn) -> None:
    """Compiles every layer, at its first call while training, with dropouts that may be recomputed.

    An evaluation runs the layers as they are: it comes with other shapes and masks, and each would be compiled anew.
    So does a layer that inputs of a 65th kind come to: slower, and with more kept than `budget` says, but it runs.

    Args:
        model: base with adapters.
        family: knows where the layers lie.
        budget: share of what the compiled layers would keep for the backward pass that they may keep; what is cheapest
            to compute again is left out first. 0 = a layer's inputs alone are kept.
        progress: hears of each layer's first call.
        warn: hears of the first layer that is no longer compiled.
    """
    torch._dynamo.config.recompile_limit = VARIANTS
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # torch itself would only write a line into a log
    torch._functorch.config.activation_memory_budget = budget
    layers = family.find_layers(model.get_base_model())
    calls, gave_up = count(1), count(1)

    def give_up() -> None:
        if next(gave_up) == 1:
            warn(f"Layers have been compiled for {VARIANTS} kinds of inputs and run uncompiled from now on.")

    for layer in layers:
        _compile(layer, lambda: progress(next(calls), len(layers)), give_up)


def _compile(layer: nn.Module, on_first_call: Callable[[], object], on_giving_up: Callable[[], object]) -> None:
    plain: Callable[..., Any] = layer.forward
    compiled = torch.compile(plain, dynamic=True)
    dropouts = seed_dropouts(layer)
    device = next(layer.parameters()).device
    is_new, is_compiled = True, True

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_new, is_compiled
        if not layer.training:
            return plain(*args, **kwargs)
        draw_seeds(dropouts, device)
        if not is_compiled:
            return plain(*args, **kwargs)
        try:
            if not is_new:
                return compiled(*args, **kwargs)
            with shielded_children():  # inductor starts its own at the first call
                output = compiled(*args, **kwargs)
        except FailOnRecompileLimitHit:
            is_compiled = False
            on_giving_up()
            return plain(*args, **kwargs)
        is_new = False
        on_first_call()
        return output

    layer.forward = forward
