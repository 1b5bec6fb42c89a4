"""The order in which a split is captioned: decided before the first caption, and the same every time."""

from __future__ import annotations

from collections.abc import Sequence

from inft.forecast.row_lengths import RowLengths


def order_of(lengths: RowLengths) -> list[int]:
    """Row numbers by the length of their prompts, the longest first; rows that cannot be used come last.

    The first batch is then the one that takes most memory, and no row waits for a much longer one.
    """
    prompts = [tokens - supervised for tokens, supervised in zip(lengths.tokens, lengths.supervised, strict=True)]
    return sorted(range(len(lengths)), key=lambda row: (lengths.cause[row] != 0, -prompts[row], row))


def batches_of(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """`order` in pieces of `size`, the last one shorter.

    >>> batches_of([4, 2, 0, 1, 3], 2)
    [[4, 2], [0, 1], [3]]
    """
    return [order[start : start + size] for start in range(0, len(order), size)]
