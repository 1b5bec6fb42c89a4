"""Attention piece by piece: every query attends to one stretch of keys, and no mask is made for it.

Where transformers fills a dense mask of queries x keys, a table of four numbers a piece says the same here, and the
kernels that know no masks, the fast ones, do the work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

HOPPER = (9, 0)
"""The only compute capability on which cuDNN's kernels were tried here (H200)."""

BOTH_WAYS = -1

_aten = torch.ops.aten


def attend_segments(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segments: Tensor,
    *,
    scale: float,
    back: int = BOTH_WAYS,
    few_shapes: bool = False,
) -> Tensor:
    """Softmax attention within segments.

    Args:
        query: (Q, heads, width), in 16 bit on a GPU.
        key: (K, key heads, width); each serves heads / key heads neighbouring heads.
        value: as `key`.
        segments: (N, 4) int64 on the CPU: first query, the one behind the last, first key, the one behind the last.
            Every query lies in exactly one segment; keys may lie in several or in none.
        scale: of the scores.
        back: keys that a query sees up to its own place, which it sees too; 0 = all of them; `BOTH_WAYS` = also those
            behind it. Unless both ways, a segment's queries and keys are the same tokens, and they are on a CPU: a GPU
            has a kernel of its own for that.
        few_shapes: whether segments of the same sizes come again and again; cuDNN prepares a plan for every new one.

    Returns:
        (Q, heads, width).
    """
    assert back == BOTH_WAYS or not query.is_cuda
    return _attend(query, key, value, segments, scale, back, few_shapes)[0]


@torch.library.custom_op("inft::attend_segments", mutates_args=())
def _attend(
    query: Tensor, key: Tensor, value: Tensor, segments: Tensor, scale: float, back: int, few_shapes: bool
) -> tuple[Tensor, Tensor]:
    """The output and, per head and query, the logarithm of the softmax's sum."""
    output = torch.empty_like(query, memory_format=torch.contiguous_format)
    sums = query.new_empty((query.size(1), query.size(0)), dtype=torch.float32)
    forward = (
        _plain_forward if not query.is_cuda else _cudnn_forward if _use_cudnn(query, few_shapes) else _flash_forward
    )
    with torch.autocast(query.device.type, enabled=False):  # which would have the CPU's sums rounded to 16 bit
        for first, last, start, end in segments.tolist():
            part, part_sums = forward(query[first:last], key[start:end], value[start:end], scale, back)
            output[first:last] = part
            sums[:, first:last] = part_sums
    return output, sums


@_attend.register_fake
def _(
    query: Tensor, key: Tensor, value: Tensor, segments: Tensor, scale: float, back: int, few_shapes: bool
) -> tuple[Tensor, Tensor]:
    sums = query.new_empty((query.size(1), query.size(0)), dtype=torch.float32)
    return torch.empty_like(query, memory_format=torch.contiguous_format), sums


@torch.library.custom_op("inft::attend_segments_backward", mutates_args=())
def _attend_backward(
    gradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    sums: Tensor,
    segments: Tensor,
    scale: float,
    back: int,
    few_shapes: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value."""
    of_query = torch.empty_like(query, memory_format=torch.contiguous_format)
    of_key = torch.zeros_like(key, memory_format=torch.contiguous_format)
    of_value = torch.zeros_like(value, memory_format=torch.contiguous_format)
    gradient = gradient.contiguous()
    if query.is_cuda:
        backward = _cudnn_backward if _use_cudnn(query, few_shapes) else _flash_backward
    else:
        backward = _plain_backward
    for first, last, start, end in segments.tolist():
        queries, keys = slice(first, last), slice(start, end)
        some = (gradient[queries], query[queries], key[keys], value[keys], output[queries], sums[:, queries])
        part_query, part_key, part_value = backward(*some, scale, back)
        of_query[queries] = part_query
        of_key[keys] += part_key
        of_value[keys] += part_value
    return of_query, of_key, of_value


@_attend_backward.register_fake
def _(
    gradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    sums: Tensor,
    segments: Tensor,
    scale: float,
    back: int,
    few_shapes: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    of_query, of_key, of_value = (
        torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (query, key, value)
    )
    return of_query, of_key, of_value


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, key, value, segments, *ctx.settings = inputs
    ctx.save_for_backward(query, key, value, *output, segments)


def _backward(ctx: Any, gradient: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
    found: tuple[Tensor, Tensor, Tensor] = _attend_backward(gradient, *ctx.saved_tensors, *ctx.settings)
    return *found, None, None, None, None


_attend.register_autograd(_backward, setup_context=_keep)


def _use_cudnn(query: Tensor, few_shapes: bool) -> bool:
    return few_shapes and torch.cuda.get_device_capability(query.device) == HOPPER


# One segment: n queries (n, heads, width), m keys and values (m, key heads, width), sums (heads, n).


def _plain_forward(query: Tensor, key: Tensor, value: Tensor, scale: float, back: int) -> tuple[Tensor, Tensor]:
    shared = query.size(1) // key.size(1)
    scores = _scores(query.float(), key.float().repeat_interleave(shared, 1), scale, back)
    output = torch.einsum("hnm,mhd->nhd", scores.softmax(-1), value.float().repeat_interleave(shared, 1))
    return output.to(query.dtype), scores.logsumexp(-1)


def _plain_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, sums: Tensor, scale: float, back: int
) -> tuple[Tensor, Tensor, Tensor]:
    shared = query.size(1) // key.size(1)
    queries, keys, values = (tensor.float() for tensor in (query, key, value))
    gradient, keys, values = gradient.float(), keys.repeat_interleave(shared, 1), values.repeat_interleave(shared, 1)
    weights = (_scores(queries, keys, scale, back) - sums[..., None]).exp()
    of_weights = torch.einsum("nhd,mhd->hnm", gradient, values)
    of_scores = weights * (of_weights - (weights * of_weights).sum(-1, keepdim=True)) * scale

    def together(of_heads: Tensor) -> Tensor:
        return of_heads.unflatten(1, (key.size(1), shared)).sum(2).to(key.dtype)

    of_query = torch.einsum("hnm,mhd->nhd", of_scores, keys).to(query.dtype)
    of_key = together(torch.einsum("hnm,nhd->mhd", of_scores, queries))
    return of_query, of_key, together(torch.einsum("hnm,nhd->mhd", weights, gradient))


def _scores(query: Tensor, key: Tensor, scale: float, back: int) -> Tensor:
    scores = torch.einsum("nhd,mhd->hnm", query, key) * scale
    if back != BOTH_WAYS:
        seen = torch.ones(scores.shape[1:], dtype=torch.bool).tril()
        scores.masked_fill_(~(seen.triu(1 - back) if back else seen), float("-inf"))
    return scores


def _flash_forward(query: Tensor, key: Tensor, value: Tensor, scale: float, back: int) -> tuple[Tensor, Tensor]:
    longest = (query.size(0), key.size(0))
    inputs = (query[None], key[None], value[None])
    found = _aten._flash_attention_forward(*inputs, None, None, *longest, 0.0, False, False, scale=scale)
    return found[0][0], found[1][0]


def _flash_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, sums: Tensor, scale: float, back: int
) -> tuple[Tensor, Tensor, Tensor]:
    longest = (query.size(0), key.size(0))
    inputs = (gradient[None], query[None], key[None], value[None], output[None], sums.contiguous()[None])
    state = (query.new_zeros(2, dtype=torch.uint64), query.new_zeros(0, dtype=torch.uint64))  # of a dropout of 0
    found = _aten._flash_attention_backward(*inputs, None, None, *longest, 0.0, False, *state, scale=scale)
    return found[0][0], found[1][0], found[2][0]


def _heads_first(tensor: Tensor) -> Tensor:
    return tensor.transpose(0, 1)[None]


def _cudnn_forward(query: Tensor, key: Tensor, value: Tensor, scale: float, back: int) -> tuple[Tensor, Tensor]:
    inputs = map(_heads_first, (query, key, value))
    found = _aten._scaled_dot_product_cudnn_attention(*inputs, None, True, 0.0, False, False, scale=scale)
    return found[0][0].transpose(0, 1), found[1].reshape(query.size(1), query.size(0))


def _cudnn_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, sums: Tensor, scale: float, back: int
) -> tuple[Tensor, Tensor, Tensor]:
    longest = (query.size(0), key.size(0))
    inputs = map(_heads_first, (gradient, query, key, value, output))
    seed = query.new_zeros((), dtype=torch.int64)  # of a dropout of 0; it wants them on the GPU
    found = _aten._scaled_dot_product_cudnn_attention_backward(
        *inputs,
        sums.contiguous()[None, :, :, None],
        seed,
        seed,
        None,
        None,
        None,
        *longest,
        0.0,
        back == 0,
        scale=scale,
    )
    return found[0][0].transpose(0, 1), found[1][0].transpose(0, 1), found[2][0].transpose(0, 1)
