"""Llama's hidden states of rows that lie end to end.

Its tower runs four tiles for every picture, whether or not the picture fills them. transformers hides the others and
the tower's own padding from each other by a mask over all pairs: a token of the picture attends to every token of its
four tiles, one of the padding to those of the picture alone. In an order in which the picture's tokens come first those
are two stretches. Likewise in the text: what follows the picture attends to its tiles, what is before it to all four,
and has its share of the layer's second half taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from inft.data.packing import PackedRows
from inft.models.released import PATCH_ROUNDING


@dataclass(frozen=True)
class TowerOrder:
    """The tokens of B pictures of L tiles, N tokens each with padding: first a picture's own, then the others.

    Attributes:
        order: (B L N,) int64, the place that the token at each place comes from.
        back: the same the other way round.
        segments: (up to 2 B, 4) int64 as `attend_segments` takes them.
    """

    order: Tensor
    back: Tensor
    segments: Tensor


def tower_order(tiles: tuple[int, ...], most_tiles: int, patches: int) -> TowerOrder:
    """The order in which the tower runs.

    Args:
        tiles: of each picture.
        most_tiles: L, that the tower runs for each.
        patches: tokens of a tile, without padding.
    """
    tokens = most_tiles * rounded(patches)
    is_own = (torch.arange(rounded(patches)) < patches) & (
        torch.arange(most_tiles)[:, None] < torch.tensor(tiles)[:, None, None]
    )
    order = (~is_own).flatten(1).int().argsort(dim=1, stable=True) + tokens * torch.arange(len(tiles))[:, None]
    flat = order.flatten()
    segments: list[tuple[int, int, int, int]] = []
    for number, count in enumerate(tiles):
        first, own = number * tokens, count * patches
        segments += [(first, first + own, first, first + tokens), (first + own, first + tokens, first, first + own)]
    return TowerOrder(flat, flat.argsort(), _table(segments))


def rounded(patches: int) -> int:
    """Tokens of a tile with the tower's padding."""
    return -(-patches // PATCH_ROUNDING) * PATCH_ROUNDING


def crossing_segments(batch: PackedRows, most_tiles: int, patches: int) -> Tensor:
    """Which picture tokens each text token attends to, (up to 2 B, 4) int64 as `attend_segments` takes them."""
    segments: list[tuple[int, int, int, int]] = []
    first = 0
    for number, (length, start, tiles) in enumerate(zip(batch.lengths, batch.picture_starts, batch.tiles, strict=True)):
        picture = number * most_tiles * patches
        segments += [
            (first, first + start, picture, picture + most_tiles * patches),
            (first + start, first + length, picture, picture + tiles * patches),
        ]
        first += length
    return _table(segments)


def _table(segments: list[tuple[int, int, int, int]]) -> Tensor:
    """Those that have a query."""
    return torch.tensor([segment for segment in segments if segment[0] < segment[1]])


def hidden_states(model: Any, batch: PackedRows) -> Tensor:
    """What `MllamaModel.forward` computes for each row alone.

    Args:
        model: a `MllamaForConditionalGeneration` whose attention is `packed_attention`.
        batch: on the model's device.

    Returns:
        (T, hidden), behind the last normalisation.
    """
    inner, tensors = model.model, batch.tensors
    text, tower = inner.language_model, inner.vision_model
    pictures = inner.multi_modal_projector(_pictures(tower, batch)).flatten(0, 1)[None]
    crossing = crossing_segments(batch, tower.max_num_tiles, tower.num_patches)
    sees = torch.ones(sum(batch.lengths), dtype=pictures.dtype)
    first = 0
    for length, start in zip(batch.lengths, batch.picture_starts, strict=True):
        sees[first : first + start] = 0
        first += length
    sees = _moved(sees, pictures)[None, None, :, None]
    hidden = text.embed_tokens(tensors["input_ids"])[None]
    positions = text.rotary_emb(hidden, tensors["position_ids"][None])
    longest = max(batch.lengths)
    crossed = set(text.config.cross_attention_layers)
    for number, layer in enumerate(text.layers):
        if number in crossed:
            hidden = layer(
                hidden,
                cross_attention_states=pictures,
                cross_attention_mask=crossing,
                attention_mask=None,
                full_text_row_masked_out_mask=sees,
                few_shapes=False,
            )
        else:
            hidden = layer(
                hidden,
                attention_mask=None,
                position_embeddings=positions,
                row_starts=tensors["row_starts"],
                longest=longest,
            )
    normed: Tensor = text.norm(hidden)[0]
    return normed


def _pictures(tower: Any, batch: PackedRows) -> Tensor:
    """What `MllamaVisionModel.forward` returns, (B, L x patches, width)."""
    pixels, ids = batch.tensors["pixel_values"], batch.tensors["aspect_ratio_ids"]
    pictures, tiles = pixels.shape[:2]
    patches, padded = tower.num_patches, rounded(tower.num_patches)
    plan = tower_order(batch.tiles, tiles, patches)
    order, back = _moved(plan.order, pixels), _moved(plan.back, pixels)
    # The tower knows itself by its kernel's dtype, and the pixels come in it.
    hidden = tower.patch_embedding(pixels.flatten(0, 1)).flatten(2).transpose(1, 2)
    hidden = tower.pre_tile_positional_embedding(hidden.unflatten(0, (pictures, tiles)), ids)
    hidden = tower.apply_class_embedding(hidden.flatten(0, 1)).unflatten(0, (pictures, tiles))
    hidden = tower.layernorm_pre(tower.gated_positional_embedding(hidden, ids))
    hidden = pad(hidden, (0, 0, 0, padded - patches)).flatten(0, 2)
    hidden = _ordered(hidden, order, back)[None]
    kept = []
    for number, layer in enumerate(tower.transformer.layers):
        hidden = layer(hidden, plan.segments)
        if number in tower.intermediate_layers_indices:
            kept.append(hidden)
    hidden = _ordered(tower.layernorm_post(hidden)[0], back, order).unflatten(0, (pictures, tiles, padded))
    hidden = _ordered(tower.post_tile_positional_embedding(hidden, ids).flatten(0, 2), order, back)[None]
    for layer in tower.global_transformer.layers:
        hidden = layer(hidden, plan.segments)

    def unpacked(states: Tensor) -> Tensor:
        tokens = _ordered(states[0], back, order).unflatten(0, (pictures, tiles, padded))
        return tokens[:, :, :patches].flatten(1, 2)

    return torch.cat([unpacked(hidden), unpacked(torch.stack(kept, -1).flatten(2))], -1)


class _Ordered(torch.autograd.Function):
    """Rows in another order; torch's own backward pass would sort and add, though each row comes once."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return rows[order]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return gradient[back], None, None


def _ordered(rows: Tensor, order: Tensor, back: Tensor) -> Tensor:
    """`rows[order]`, both (N, ...); `back` is the inverse of `order`."""
    ordered: Tensor = _Ordered.apply(rows, order, back)
    return ordered


def _moved(tensor: Tensor, beside: Tensor) -> Tensor:
    """On the device of `beside`, without waiting for what that is busy with."""
    return tensor.pin_memory().to(beside.device, non_blocking=True) if beside.is_cuda else tensor
