"""The order of the rows: each once, the heaviest first, and the same whatever happens around it."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
import torch

from inft.forecast.lengths import BatchShape
from inft.forecast.row_lengths import RowLengths
from inft.training.order import HeaviestFirst, cost_by_size, first_step


def some_lengths(seed: int, rows: int) -> RowLengths:
    chance = random.Random(seed)
    lengths = RowLengths()
    for _ in range(rows):
        if chance.random() < 0.1:
            lengths.add_unusable("too_long", 0)
        else:
            tiles = chance.choice((1, 2, 4, 9))
            tokens = chance.choice((0, 20)) * tiles + chance.randint(1, 60)
            lengths.add(tokens=tokens, tiles=tiles, supervised=chance.randint(1, 9), cut=0, language=0)
    if not any(lengths.tokens):
        lengths.add(tokens=5, tiles=1, supervised=2, cut=0, language=0)
    return lengths


def shape(lengths: RowLengths, rows: tuple[int, ...] | list[int]) -> BatchShape:
    held = list(lengths.as_trained())
    return BatchShape(
        rows=len(rows),
        tokens=max(held[row][0] for row in rows),
        tiles=sum(held[row][1] for row in rows),
        supervised=sum(held[row][2] for row in rows),
        all_tokens=sum(held[row][0] for row in rows),
    )


def order(lengths: RowLengths, *, seed: int = 1, epoch: int = 0, micro: int = 2, accumulation: int = 2) -> list[int]:
    sampler = HeaviestFirst(lengths, seed=seed, micro_batch=micro, accumulation=accumulation)
    sampler.set_epoch(epoch)
    return list(sampler)


COSTS = {
    "size": cost_by_size,
    "tiles": lambda shape: 1000 * shape.tiles + shape.tokens,
    "tokens": lambda shape: 1000 * shape.tokens + shape.tiles,
    "both": lambda shape: shape.rows * shape.tokens + 30 * shape.tiles,
    "tokens end to end": lambda shape: shape.all_tokens,
    "both end to end": lambda shape: shape.all_tokens + 8 * shape.tiles,
    # As a forecast is: the most of several moments.
    "moments end to end": lambda shape: max(3 * shape.all_tokens, 2 * shape.all_tokens + 32 * shape.tiles),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("seed", range(25))
def test_no_micro_batch_of_any_order_is_heavier_than_the_first(seed: int, cost: str) -> None:
    lengths = some_lengths(seed, 14)
    for micro, accumulation in ((1, 1), (1, 2), (2, 1), (4, 1), (1, 8), (2, 4), (4, 2), (2, 16)):
        found = first_step(lengths, micro, accumulation, COSTS[cost])
        first = COSTS[cost](shape(lengths, found[:micro]))
        # Supervised tokens are the same for these costs, so that what is compared is tokens and tiles.
        most = max(COSTS[cost](shape(lengths, batch)) for batch in combinations(range(len(lengths)), micro))
        assert first == most


def test_padding_decides_which_rows_are_the_heaviest() -> None:
    lengths = RowLengths()
    for tokens, tiles in ((100, 1), (70, 1), (69, 2), (10, 9)):
        lengths.add(tokens=tokens, tiles=tiles, supervised=1, cut=0, language=0)
    assert first_step(lengths, 2, 1) == [0, 3]  # padded, two rows are as heavy as twice the longest
    assert first_step(lengths, 2, 1, lambda shape: shape.all_tokens) == [0, 1]
    assert first_step(lengths, 2, 1, lambda shape: shape.all_tokens + 4 * shape.tiles) == [0, 2]


@pytest.mark.parametrize("seed", range(10))
def test_the_first_step_does_not_depend_on_how_it_is_cut(seed: int) -> None:
    lengths = some_lengths(seed, 60)
    steps = [first_step(lengths, micro, 16 // micro) for micro in (1, 2, 4, 8, 16)]
    assert all(len(set(step)) == len(step) == 16 for step in steps)
    assert len({frozenset(step) for step in steps}) == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("epoch", [0, 1])
def test_each_row_comes_once_an_epoch(rows: int, epoch: int) -> None:
    lengths = some_lengths(rows, rows)
    assert sorted(order(lengths, epoch=epoch, micro=3)) == list(range(len(lengths)))


def test_only_the_first_epoch_begins_with_the_heaviest() -> None:
    lengths = some_lengths(3, 200)
    heaviest = first_step(lengths, 2, 2)
    assert order(lengths, epoch=0)[:4] == heaviest
    assert set(order(lengths, epoch=1)[:4]) != set(heaviest)


def test_behind_the_first_step_the_order_is_the_seeds() -> None:
    lengths = some_lengths(3, 200)
    one, other = order(lengths, seed=1), order(lengths, seed=2)
    assert one[:4] == other[:4]
    assert one[4:] != other[4:]
    assert order(lengths, seed=1, epoch=1) != order(lengths, seed=1, epoch=2)


def test_the_order_neither_reads_nor_moves_the_random_numbers_of_others() -> None:
    lengths = some_lengths(3, 200)
    torch.manual_seed(1)
    one = order(lengths)
    assert torch.equal(torch.rand(3), torch.manual_seed(1) and torch.rand(3))
    torch.manual_seed(2)
    assert order(lengths) == one


def test_an_unusable_row_weighs_what_takes_its_place() -> None:
    lengths = RowLengths()
    lengths.add(tokens=5, tiles=1, supervised=2, cut=0, language=0)
    lengths.add_unusable("undecodable_image", 0)
    lengths.add(tokens=90, tiles=4, supervised=2, cut=0, language=0)
    lengths.add(tokens=50, tiles=4, supervised=2, cut=0, language=0)
    # The batch that holds the heaviest row twice.
    assert set(first_step(lengths, 2, 1)) == {1, 2}
