"""A handful of rows that stand for all."""

from __future__ import annotations


def evenly_spread(count: int, among: int) -> list[int]:
    """At most `count` row numbers at even distances; rows are in order of language, so all languages get their share.

    >>> evenly_spread(3, among=9), evenly_spread(5, among=2)
    ([0, 3, 6], [0, 1])
    """
    count = min(count, among)
    return [among * index // count for index in range(count)]
