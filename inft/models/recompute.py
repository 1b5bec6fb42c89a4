"""What of the forward pass is kept for the backward pass, and what of it is computed again instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from torch.utils.checkpoint import checkpoint

from inft.models.family import Family


def keep_little(model: PeftModel, family: Family, *, recompute: bool, padding_free: bool = False) -> None:
    """Sets up what is kept; has to come after the adapters.

    No embedding is made to require gradients, for which PEFT, TRL and transformers all have a hook: it is there for
    reentrant checkpointing, and with it the backward pass runs through all that lies below the first adapter. A vision
    tower that is not trained then keeps every activation, 10 GiB a row on Llama.

    Args:
        model: base with adapters.
        family: knows the layers.
        recompute: whether activations are recomputed (`sft.gradient_checkpointing`).
        padding_free: whether nothing of it is left to transformers, which would wrap each layer once more.
    """
    base = model.get_base_model()
    base.enable_input_require_grads = _nothing
    if not recompute:
        return
    for path in family.layers if padding_free else family.recomputed_here:
        for layer in base.get_submodule(path).children():
            _recompute(layer)


def _nothing() -> None:
    """Stands for the hook that is not wanted."""


def _recompute(layer: nn.Module) -> None:
    """Has `layer` keep its inputs alone, where a gradient reaches it at all."""
    forward: Callable[..., Any] = layer.forward
    is_trained = any(parameter.requires_grad for parameter in layer.parameters())

    def recomputed(*args: Any, **kwargs: Any) -> Any:
        inputs = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        if layer.training and (is_trained or any(tensor.requires_grad for tensor in inputs)):
            return checkpoint(forward, *args, use_reentrant=False, **kwargs)
        return forward(*args, **kwargs)

    layer.forward = recomputed
