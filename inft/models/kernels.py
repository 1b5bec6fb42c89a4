"""Which attention kernels a family, a machine and a way of training rule out, and why; no torch."""

from __future__ import annotations

import importlib.util

from inft.params import AttentionName, FamilyName

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
