"""Histograms as they are drawn."""

from __future__ import annotations

import io
import random
import sys
from itertools import pairwise

import pytest

from inft_tui.histograms import ASCII, BLOCKS, bar, bins, chart, column_chart, glyphs_of_stdout, quantile


def test_a_chart_is_right_aligned_and_the_fullest_bar_fills_it() -> None:
    counts = {3: 120, 9: 1200, 13: 1}
    drawn = ["|".join(parts) for parts in chart(bins(counts, 20), 40, BLOCKS)]
    assert drawn[0] == "    3|  120   9.1 %|█▊"
    assert drawn[1] == "  4-8|    0   0.0 %|"
    assert drawn[2] == "    9|1,200  90.8 %|██████████████████"
    assert drawn[4] == "   13|    1   0.1 %|▏"
    assert max(map(len, drawn)) + 2 <= 40


def test_a_chart_in_ascii() -> None:
    assert [parts[2] for parts in chart(bins({1: 4, 2: 1}, 5), 30, ASCII)] == ["#" * 16, "####"]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("most", [1, 2, 7, 12])
def test_bins_hold_every_row_once_and_touch(seed: int, most: int) -> None:
    chance = random.Random(seed)
    counts = {chance.randint(0, 10 ** chance.randint(1, 6)): chance.randint(1, 50) for _ in range(30)}
    found = bins(counts, most)
    if most > 1 or max(counts) < 10**6:
        assert len(found) <= most
    assert sum(one.rows for one in found) == sum(counts.values())
    assert all(one.high + 1 == other.low for one, other in pairwise(found))
    assert found[0].low <= min(counts) <= found[0].high
    assert found[-1].low <= max(counts) <= found[-1].high
    assert min(found[0].rows, found[-1].rows) > 0


def test_no_rows_make_no_bins() -> None:
    assert bins({}, 5) == []


def test_columns_are_as_wide_as_there_are_values_or_less() -> None:
    assert column_chart({4: 8, 5: 1}, 4, 6, 20, BLOCKS) == "█▁ "
    assert column_chart({0: 8, 99: 8}, 0, 99, 10, ASCII) == "#        #"


def test_a_bar_never_leaves_its_room() -> None:
    for width in range(1, 9):
        for parts in range(101):
            assert len(bar(parts / 100, width, BLOCKS)) <= width


def test_quantiles_are_values_that_occur() -> None:
    counts = dict.fromkeys(range(1, 101), 1)
    assert [quantile(counts, share) for share in (0.01, 0.5, 0.95, 1)] == [1, 50, 95, 100]


@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII)])
def test_glyphs_are_those_of_the_encoding(encoding: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert glyphs_of_stdout() is expected
