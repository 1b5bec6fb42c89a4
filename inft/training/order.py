"""The order of the rows: heaviest first, then as the seed shuffles them.

A run that does not fit fails in its first step then, and not after hours at the longest batch.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import Sampler

from inft.forecast.lengths import BatchShape
from inft.forecast.row_lengths import RowLengths

Cost = Callable[[BatchShape], float]
"""How heavy a micro-batch is, in any unit."""


def cost_by_size(shape: BatchShape) -> float:
    """Padded tokens, and tiles among as many tokens."""
    return shape.rows * shape.tokens + shape.tiles / (1 + shape.tiles)


class HeaviestFirst(Sampler[int]):
    """Every row once per epoch; the first epoch begins with the heaviest optimiser step.

    An epoch's order depends on the seed, the epoch and the lengths alone, whatever else has drawn random numbers, so
    that a resumed run finds it again.

    Args:
        lengths: of all rows; at least one can be used.
        seed: of the order.
        micro_batch: rows per forward pass.
        accumulation: micro-batches per optimiser step.
        cost: what "heaviest" means.
    """

    def __init__(
        self, lengths: RowLengths, *, seed: int, micro_batch: int, accumulation: int, cost: Cost = cost_by_size
    ) -> None:
        self._rows = len(lengths)
        self._seed = seed
        self._epoch = 0
        self._first = first_step(lengths, micro_batch, accumulation, cost)
        self.heaviest = self._first[:micro_batch]
        """The rows of the heaviest micro-batch."""

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch is iterated over next, from 0; the Trainer and accelerate call this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(random.Random(f"{self._seed}-{self._epoch}").getrandbits(63))
        order = torch.randperm(self._rows, generator=generator)
        if self._epoch == 0:
            first = torch.tensor(self._first)
            order = torch.cat([first, order[~torch.isin(order, first)]])
        yield from order.tolist()


def first_step(lengths: RowLengths, micro_batch: int, accumulation: int, cost: Cost = cost_by_size) -> list[int]:
    """The rows of the first optimiser step, its heaviest micro-batch first; fewer when there are no more.

    Which rows these are depends on how many they are, and not on how they are cut into micro-batches: that is to
    decide memory and speed, and not the curve. They are the leads, each the longest of its number of tiles and longer
    than all that have more, and then those of most tiles. The heaviest micro-batch of any order is a lead with the rows
    of most tiles beside it, so it is among them; only one as large as the whole step can miss a few tiles of it.
    """
    table = _Table(lengths)
    count = micro_batch * accumulation
    leads = sorted(table.leads(), key=lambda row: cost_by_size(table.shape([row])), reverse=True)[:count]
    rows = [*leads, *table.of_most_tiles(count - len(leads), without=leads)]
    micro_batches = [[lead, *table.of_most_tiles(micro_batch - 1, without=[lead], among=rows)] for lead in leads]
    heaviest = max(micro_batches, key=lambda some: cost(table.shape(some)))
    others = sorted(set(rows) - set(heaviest), key=lambda row: (-int(table.tokens[row]), row))
    return heaviest + others


class _Table:
    """What a batch holds for each row: N rows, each column (N,) int64."""

    def __init__(self, lengths: RowLengths) -> None:
        stand_ins = torch.tensor(lengths.stand_ins())
        self.tokens, self.tiles, self.supervised = (
            _column(values)[stand_ins] for values in (lengths.tokens, lengths.tiles, lengths.supervised)
        )
        # No two are alike, so that the most are the same ones on every machine: 32 bits for rows, 18 for tokens.
        backwards = torch.arange(len(lengths) - 1, -1, -1)
        self._ranks = (self.tiles << 50) + (self.tokens << 32) + backwards

    def shape(self, rows: Sequence[int]) -> BatchShape:
        """What `rows` are together."""
        chosen = torch.tensor(rows)
        return BatchShape(
            rows=len(rows),
            tokens=int(self.tokens[chosen].max()),
            tiles=int(self.tiles[chosen].sum()),
            supervised=int(self.supervised[chosen].sum()),
        )

    def leads(self) -> list[int]:
        """The longest row of each number of tiles, unless one of more tiles is as long."""
        found: list[int] = []
        for tiles in self.tiles.unique().flip(0).tolist():
            row = int(torch.where(self.tiles == tiles, self._ranks, -1).argmax())
            if not found or self.tokens[row] > self.tokens[found[-1]]:
                found.append(row)
        return found

    def of_most_tiles(self, count: int, *, without: Sequence[int], among: Sequence[int] | None = None) -> list[int]:
        """So many rows of most tiles, of those the longest; fewer when there are no more.

        Args:
            count: how many.
            without: rows that are not meant.
            among: the rows to choose from; None = all.
        """
        ranks = self._ranks.clone()
        if among is not None:
            ranks = torch.full_like(ranks, -1)
            ranks[torch.tensor(among)] = self._ranks[torch.tensor(among)]
        ranks[torch.tensor(without, dtype=torch.long)] = -1
        found = ranks.topk(min(count, len(ranks)))
        rows: list[int] = found.indices[found.values >= 0].tolist()
        return rows


def _column(values: array[int]) -> torch.Tensor:
    return torch.frombuffer(values, dtype=torch.uint32).long()
