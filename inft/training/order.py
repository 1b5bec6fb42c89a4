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


TOKENS_PER_TILE = (0, *(2**power for power in range(15)))
"""How many tokens a tile may be worth in memory, to the next power of two: 0 on Llama, where every picture takes the
same, up to some thousands where a tower's activations are kept."""


def cost_by_size(shape: BatchShape) -> float:
    """Padded tokens, and tiles among as many tokens."""
    return shape.rows * shape.tokens + shape.tiles / (1 + shape.tiles)


class HeaviestFirst(Sampler[int]):
    """Every row once per epoch; the first epoch begins with the heaviest optimiser step.

    An epoch's order depends on the seed, the epoch and the rows of the first step alone, whatever else has drawn random
    numbers. A checkpoint keeps those rows, so that a resumed run finds the order again on another card, too.

    Args:
        lengths: of all rows; at least one can be used.
        seed: of the order.
        micro_batch: rows per forward pass.
        accumulation: micro-batches per optimiser step.
        cost: what "heaviest" means.
        first: the rows of a first step that was done before; None = the heaviest.
    """

    def __init__(
        self,
        lengths: RowLengths,
        *,
        seed: int,
        micro_batch: int,
        accumulation: int,
        cost: Cost = cost_by_size,
        first: Sequence[int] | None = None,
    ) -> None:
        self._rows = len(lengths)
        self._seed = seed
        self._epoch = 0
        heaviest = first_step(lengths, micro_batch, accumulation, cost)
        self.first = heaviest if first is None else list(first)
        """The rows of the first step."""
        self.heaviest = heaviest[:micro_batch]
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
            first = torch.tensor(self.first, dtype=torch.long)
            order = torch.cat([first, order[~torch.isin(order, first)]])
        yield from order.tolist()


def first_step(lengths: RowLengths, micro_batch: int, accumulation: int, cost: Cost = cost_by_size) -> list[int]:
    """The rows of the first optimiser step, its heaviest micro-batch first; fewer when there are no more.

    The heaviest padded micro-batch of any order is a lead, the longest row of its number of tiles, with the rows of
    most tiles beside it. Where rows lie end to end it is those of most tokens, of most tiles, or of most of both in
    some proportion. `cost` says which. After it come the other leads, and then rows of most tiles. So with an effective
    batch of 16 padded ones are the same rows however it is cut into micro-batches; only a small one is cut differently.
    """
    table = _Table(lengths)
    leads = table.leads()
    micro_batches = [[lead, *table.of_most_tiles(micro_batch - 1, without=[lead])] for lead in leads]
    # Of equally heavy ones the first stays, a padded one, so that the order depends little on how rows are laid out.
    micro_batches += [table.of_most(micro_batch, tokens_per_tile) for tokens_per_tile in TOKENS_PER_TILE]
    heaviest = max(micro_batches, key=lambda some: cost(table.shape(some)))
    left = micro_batch * accumulation - len(heaviest)
    others = [lead for lead in leads if lead not in heaviest]
    others.sort(key=lambda row: cost(table.shape([row])), reverse=True)
    others = others[:left]
    others += table.of_most_tiles(left - len(others), without=[*heaviest, *others])
    return heaviest + sorted(others, key=lambda row: (-int(table.tokens[row]), row))


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
            all_tokens=int(self.tokens[chosen].sum()),
        )

    def leads(self) -> list[int]:
        """The longest row of each number of tiles, unless one of more tiles is as long."""
        found: list[int] = []
        for tiles in self.tiles.unique().flip(0).tolist():
            row = int(torch.where(self.tiles == tiles, self._ranks, -1).argmax())
            if not found or self.tokens[row] > self.tokens[found[-1]]:
                found.append(row)
        return found

    def of_most(self, count: int, tokens_per_tile: int) -> list[int]:
        """So many rows of most tokens, each tile worth so many more; fewer when there are no more."""
        worth = self.tokens + tokens_per_tile * self.tiles
        rows: list[int] = worth.sort(descending=True, stable=True).indices[:count].tolist()
        return rows

    def of_most_tiles(self, count: int, *, without: Sequence[int]) -> list[int]:
        """So many rows of most tiles, of those the longest, and none of `without`; fewer when there are no more."""
        ranks = self._ranks.clone()
        ranks[torch.tensor(without, dtype=torch.long)] = -1
        found = ranks.topk(min(count, len(ranks)))
        rows: list[int] = found.indices[found.values >= 0].tolist()
        return rows


def _column(values: array[int]) -> torch.Tensor:
    return torch.frombuffer(values, dtype=torch.uint32).long()
