"""Aya's hidden states of rows that lie end to end."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from inft.data.packing import PackedRows


def hidden_states(model: Any, batch: PackedRows) -> Tensor:
    """What `AyaVisionModel.forward` computes for each row alone.

    Args:
        model: an `AyaVisionForConditionalGeneration` whose attention is `packed_attention`.
        batch: on the model's device.

    Returns:
        (T, hidden), behind the last normalisation.
    """
    inner, tensors = model.model, batch.tensors
    text = inner.language_model
    features = inner.multi_modal_projector(_patches(inner.vision_tower, tensors["pixel_values"]))
    words = text.embed_tokens(tensors["input_ids"])
    # transformers scatters them behind a mask, and waits for the GPU to count what it hides.
    hidden = words.index_copy(0, tensors["picture_places"], features.flatten(0, 2).to(words.dtype))[None]
    positions = text.rotary_emb(hidden, tensors["position_ids"][None])
    longest, window = max(batch.lengths), text.config.sliding_window
    for layer, kind in zip(text.layers, text.config.layer_types, strict=True):
        looks_back = window if kind == "sliding_attention" and window and longest > window else 0
        hidden = layer(
            hidden,
            position_embeddings=positions,
            attention_mask=None,
            row_starts=tensors["row_starts"],
            longest=longest,
            window=looks_back,
        )
    normed: Tensor = text.norm(hidden)[0]
    return normed


def _patches(tower: Any, pixels: Tensor) -> Tensor:
    """The last layer's output for (L, C, H, W) pixels, (L, patches, width), as the released model takes it.

    transformers collects every layer's, and its hooks for that would break up compiled layers.
    """
    hidden: Tensor = tower.embeddings(pixels)
    for layer in tower.encoder.layers:
        hidden = layer(hidden, attention_mask=None)
    return hidden
