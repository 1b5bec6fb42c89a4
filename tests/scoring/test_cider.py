"""CIDEr beside pycocoevalcap's values, see `make_pycocoevalcap_values`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest

from inft.scoring.cider import DocumentFrequencies, cider, count_ngrams
from tests.scoring.make_pycocoevalcap_values import VALUES

STORED = json.loads(VALUES.read_text(encoding="utf-8"))
NEAR = 1e-6


def values(pairs: Sequence[tuple[str, str]]) -> list[float]:
    frequencies = DocumentFrequencies.among(reference.split() for _, reference in pairs)
    return [
        cider(count_ngrams(generated.split()), count_ngrams(reference.split()), frequencies)
        for generated, reference in pairs
    ]


def test_there_are_enough_pairs_of_enough_kinds() -> None:
    pairs = STORED["pairs"]
    assert len(pairs) >= 500
    assert len({language for language, _, _ in pairs}) == 10
    assert any(not generated for _, generated, _ in pairs)
    each = STORED["values"]["pooled"]["each"]
    assert min(each) == 0
    assert max(each) == pytest.approx(10)
    assert len(set(each)) > 250


@pytest.mark.parametrize("group", sorted(STORED["values"]))
def test_it_is_pycocoevalcaps(group: str) -> None:
    pairs = [(mine, theirs) for language, mine, theirs in STORED["pairs"] if group in (language, "pooled")]
    expected = STORED["values"][group]
    found = values(pairs)
    assert found == pytest.approx(expected["each"], abs=NEAR)
    assert sum(found) / len(found) == pytest.approx(expected["mean"], abs=NEAR)


def test_it_is_what_the_paper_says_by_hand() -> None:
    """Two references of two words each: all n-grams weigh ln 2; one of two words matches, and no pair of words."""
    assert values([("a x", "a b"), ("c d", "c d")]) == pytest.approx([10 * 0.5 / 4, 10 * 2 / 4])


def test_a_caption_that_repeats_a_word_gains_nothing() -> None:
    once, often = values([("a", "a b"), ("c", "c d")])[0], values([("a a", "a b"), ("c", "c d")])[0]
    assert often < once


def test_a_caption_of_another_length_loses() -> None:
    """By the Gaussian of the difference in pairs of words: 3 of 1."""
    found = values([("a b z z", "a b"), ("c", "c d")])[0]
    squares = (1 / math.sqrt(6) * 2 / math.sqrt(2), 1 / math.sqrt(3))
    assert found == pytest.approx(10 * sum(squares) / 4 * math.exp(-(2**2) / 72))


def test_parts_counted_apart_are_the_whole() -> None:
    texts = [reference.split() for _, _, reference in STORED["pairs"]]
    parts = [DocumentFrequencies.among(texts[:100]), DocumentFrequencies.among(texts[100:])]
    whole = DocumentFrequencies.among(texts)
    assert DocumentFrequencies.together(parts) == whole
    assert whole.documents == 540
