"""What becomes of the layers before training: how they attend, whether they are compiled, and what they keep."""

from __future__ import annotations

from peft import PeftModel

from inft.config import Config
from inft.models.compiled import Progress, Warn, compile_layers
from inft.models.family import Family
from inft.models.narrow_norms import narrow_norms
from inft.models.packed_attention import PACKED_ATTENTION
from inft.models.recompute import keep_little


def set_up_layers(model: PeftModel, config: Config, family: Family, progress: Progress, warn: Warn) -> None:
    """Sets the layers up for training as `sft` says; has to come after the adapters.

    Args:
        model: base with adapters.
        config: the run's parameters.
        family: knows where the layers lie.
        progress: hears of each layer's first call where they are compiled.
        warn: hears of it when they are no longer compiled.
    """
    sft = config.sft
    if sft.padding_free:
        model.get_base_model().set_attn_implementation(PACKED_ATTENTION)
        narrow_norms(model)
    if sft.torch_compile:
        # Around a compiled layer torch's own checkpointing finds another number of tensors than it has kept.
        budget = 0.0 if sft.gradient_checkpointing else sft.activation_budget
        compile_layers(model, family, budget=budget, progress=progress, warn=warn)
    by_checkpointing = sft.gradient_checkpointing and not sft.torch_compile
    keep_little(model, family, recompute=by_checkpointing, padding_free=sft.padding_free)
