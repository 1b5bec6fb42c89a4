"""Tests of `inft.forecast.lengths`: no micro-batch outgrows the heaviest."""

from itertools import combinations
from random import Random
from time import perf_counter

import pytest

from inft.forecast.lengths import BatchShape, LengthTable, TileClass, assumed_lengths, assumed_skipped_percent
from inft.params import FamilyName

Measured = list[tuple[int, int, int]]


def shape(batch: tuple[tuple[int, int, int], ...]) -> BatchShape:
    """What really goes through the model."""
    return BatchShape(
        rows=len(batch),
        tokens=max(tokens for tokens, _, _ in batch),
        tiles=sum(tiles for _, tiles, _ in batch),
        supervised=sum(supervised for _, _, supervised in batch),
        all_tokens=sum(tokens for tokens, _, _ in batch),
    )


def some_rows(seed: int) -> Measured:
    random = Random(seed)
    return [
        (random.randint(1, 40), random.choice((1, 2, 4, 9)), random.randint(1, 12)) for _ in range(random.randint(1, 9))
    ]


@pytest.mark.parametrize("seed", range(40))
def test_every_micro_batch_is_covered_by_one_of_the_heaviest(seed: int) -> None:
    rows = some_rows(seed)
    table = LengthTable.of(rows)
    for size in range(1, len(rows) + 2):
        candidates = table.heaviest(size)
        for smaller in range(1, min(size, len(rows)) + 1):
            for batch in combinations(rows, smaller):
                assert any(candidate.covers(shape(batch)) for candidate in candidates), (batch, candidates)


@pytest.mark.parametrize("seed", range(40))
def test_no_candidate_is_more_than_the_rows_can_be(seed: int) -> None:
    rows = some_rows(seed)
    for size in range(1, len(rows) + 2):
        for candidate in LengthTable.of(rows).heaviest(size):
            count = min(size, len(rows))
            assert candidate.rows == count
            assert candidate.tokens in {tokens for tokens, _, _ in rows}
            assert candidate.tiles <= sum(sorted((tiles for _, tiles, _ in rows), reverse=True)[:count])
            # Exactly the longest ones, which are known one by one.
            assert candidate.all_tokens <= sum(sorted((tokens for tokens, _, _ in rows), reverse=True)[:count])


def test_the_heaviest_of_one_row_is_one_of_the_rows_classes() -> None:
    table = LengthTable.of([(30, 1, 3), (20, 4, 5), (25, 4, 2), (10, 2, 9)])
    # Two tiles are never the heaviest: four are longer, too.
    assert table.heaviest(1) == (BatchShape(1, 30, 1, 9, 30), BatchShape(1, 25, 4, 9, 25))


def test_the_table_counts() -> None:
    table = LengthTable.of([(30, 1, 3), (20, 4, 5), (25, 4, 2)])
    assert table.classes == (TileClass(1, 1, 30, 3, 30), TileClass(4, 2, 25, 5, 45, (20,)))
    assert (table.rows, table.mean_tokens, table.mean_tiles) == (3, 25.0, 3.0)


def test_one_long_row_makes_no_others_long() -> None:
    table = LengthTable.of([(4000, 9, 30), *[(600, 9, 30)] * 999])
    (shape,) = table.heaviest(4)
    assert (shape.tokens, shape.all_tokens) == (4000, 4000 + 3 * 600)
    # Beyond those that are known one by one, all are taken to be as long as the shortest of them.
    assert table.classes[0].longest_rows(100) == [4000, *[600] * 99]


def test_a_table_of_an_earlier_version_takes_every_row_for_the_longest() -> None:
    table = LengthTable((TileClass(9, 1000, 4000, 30, 600_000),), measured=True)
    assert table.heaviest(4)[0].all_tokens == 16_000


def test_what_is_assumed_of_aya() -> None:
    table = assumed_lengths("aya", 8192)
    assert not table.measured
    assert [one.tiles for one in table.classes] == [3, 7, 9, 13]
    # 13 tiles, the text around, the longest caption and the longest Sinhala article.
    assert table.classes[-1].longest == 13 * 174 + 2 + 110 + 40 + 1725
    assert table.rows == 10_000
    text = 110 + 27.5 + sum(share * tokens for share, tokens in ((0.55, 330), (0.08, 420), (0.07, 320), (0.08, 380)))
    text += sum(share * tokens for share, tokens in ((0.06, 750), (0.08, 850), (0.05, 500), (0.03, 1500)))
    assert table.mean_tiles == pytest.approx(0.3 + 0.35 + 6.3 + 1.95)
    assert table.mean_tokens == pytest.approx(text + 174 * table.mean_tiles + 2, rel=0.002)


def test_what_is_assumed_of_llama_has_tiles_beside_the_text() -> None:
    table = assumed_lengths("llama32", 4096)
    assert [one.tiles for one in table.classes] == [1, 2, 4]
    assert {one.longest for one in table.classes} == {110 + 40 + 1725}


@pytest.mark.parametrize("family", ["aya", "llama32"])
@pytest.mark.parametrize("max_length", [32, 600, 2048, 4096])
def test_nothing_assumed_is_over_max_length(family: str, max_length: int) -> None:
    table = assumed_lengths(family, max_length)  # type: ignore[arg-type]
    for one in table.classes:
        assert one.longest <= max_length
        assert one.total_tokens <= one.rows * one.longest
        assert one.most_supervised <= one.longest


def test_pictures_that_leave_no_room_are_not_assumed() -> None:
    assert [one.tiles for one in assumed_lengths("aya", 2048).classes] == [3, 7, 9]


@pytest.mark.parametrize(
    ("family", "max_length", "percent"),
    [
        ("aya", 4096, 0),
        ("aya", 13 * 174 + 2 + 110 + 40, 0),
        ("aya", 13 * 174 + 2 + 110 + 39, 15 / 26),
        ("aya", 2048, 15),
        ("aya", 512, 100),
        ("llama32", 150, 0),
        ("llama32", 124, 100),
    ],
)
def test_the_share_that_is_assumed_to_be_skipped(family: FamilyName, max_length: int, percent: float) -> None:
    assert assumed_skipped_percent(family, max_length) == pytest.approx(percent)


def test_the_heaviest_of_64_rows_takes_no_time() -> None:
    table = LengthTable.of([(tiles * 169, tiles, 40) for tiles in range(1, 14) for _ in range(100)])
    started = perf_counter()
    table.heaviest(64)
    assert perf_counter() - started < 0.01
