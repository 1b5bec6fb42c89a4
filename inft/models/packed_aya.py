"""Aya's hidden states of rows that lie end to end."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from inft.data.packing import PackedRows
from inft.errors import ConfigError

RELEASED_FEATURES = (-1, "full")
"""Which layer's output, and whether all of it, Aya Vision 8B hands on."""


def hidden_states(model: Any, batch: PackedRows) -> Tensor:
    """What `AyaVisionModel.forward` computes for each row alone.

    Args:
        model: an `AyaVisionForConditionalGeneration` whose attention is `packed_attention`.
        batch: on the model's device.

    Returns:
        (T, hidden), behind the last normalisation.
    """
    _check(model.config)
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


def _check(config: Any) -> None:
    """Refuses what the tower is not run for here.

    Raises:
        ConfigError: the checkpoint takes another layer's output than the released one.
    """
    stated = (config.vision_feature_layer, config.vision_feature_select_strategy)
    if stated != RELEASED_FEATURES:
        raise ConfigError(
            f"The checkpoint takes its picture from layer {stated[0]}, {stated[1]!r}, and sft.padding_free knows only "
            "the last one's whole output.",
            "Set sft.padding_free = false.",
        )


def _patches(tower: Any, pixels: Tensor) -> Tensor:
    """The last layer's output for (L, C, H, W) pixels, (L, patches, width), as the released model takes it.

    transformers collects every layer's, and its hooks for that would break up compiled layers.
    """
    hidden: Tensor = tower.embeddings(pixels)
    for layer in tower.encoder.layers:
        hidden = layer(hidden, attention_mask=None)
    return hidden
