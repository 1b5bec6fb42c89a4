"""The attention of rows that lie end to end, under the name by which transformers' layers call it."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask

from inft.models.segments import attend_segments

PACKED_ATTENTION = "inft_packed"
"""transformers' name of it. What comes with an ordinary mask, an evaluation or a caption, goes through sdpa."""

_SAYS_SHARED_KEYS = "enable_gqa" in inspect.signature(varlen_attn).parameters  # torch 2.11 takes it for granted


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    row_starts: Tensor | None = None,
    longest: int = 0,
    window: int = 0,
    few_shapes: bool = True,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """One layer's attention.

    Args:
        module: the attention layer.
        query: (1, heads, tokens, width).
        key: (1, key heads, keys, width).
        value: as `key`.
        attention_mask: int64: segments as `attend_segments` has them, since some of transformers' layers hand on
            nothing but a mask; anything else: an ordinary mask, or none.
        scaling: of the scores.
        dropout: on the weights; 0 in both families.
        row_starts: (rows + 1,) int32, where each row begins and the last one ends: attention is causal within rows.
        longest: tokens of the longest row.
        window: tokens that a query looks back at, its own included; 0 = all of the row's.
        few_shapes: as `attend_segments`; so it is in the vision tower, whose layers hand on nothing.
        kwargs: what transformers hands on besides; only sdpa reads it.

    Returns:
        (1, tokens, heads, width), and no weights.
    """
    if row_starts is not None:
        found = _within_rows(_flat(query), _flat(key), _flat(value), row_starts, longest, scaling, window)
        return found.unsqueeze(0), None
    if attention_mask is not None and attention_mask.dtype == torch.int64:
        found = attend_segments(
            _flat(query), _flat(key), _flat(value), attention_mask, scale=scaling, few_shapes=few_shapes
        )
        return found.unsqueeze(0), None
    ordinary: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
    )
    return ordinary


def _flat(tensor: Tensor) -> Tensor:
    """(tokens, heads, width), in the dtype in which autocast would have sdpa do it: it knows none of our kernels."""
    flat = tensor.transpose(1, 2).squeeze(0)
    device = tensor.device.type
    return flat.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else flat


def _within_rows(
    query: Tensor, key: Tensor, value: Tensor, row_starts: Tensor, longest: int, scale: float, window: int
) -> Tensor:
    if not query.is_cuda:
        starts = row_starts.long()
        rows = torch.stack([starts[:-1], starts[1:]], 1).repeat(1, 2)
        return attend_segments(query, key, value, rows, scale=scale, back=window)
    back = (window - 1 if window else -1, 0)
    shared: dict[str, Any] = {"enable_gqa": True} if _SAYS_SHARED_KEYS and query.size(1) != key.size(1) else {}
    found = varlen_attn(
        query, key, value, row_starts, row_starts, longest, longest, scale=scale, window_size=back, **shared
    )
    assert isinstance(found, Tensor)  # the sums come with it only where they are asked for
    return found


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(PACKED_ATTENTION, sdpa_mask)
