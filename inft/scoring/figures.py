"""BLEU-4 and chrF from the counts that they are made of, for one corpus or for a thousand resampled ones at once.

The counts of a row can be added, and the score of any set of rows follows from their sum: so is a corpus score defined,
and so is it resampled in no time. Both formulas are sacreBLEU's defaults (Post, "A Call for Clarity in Reporting BLEU
Scores", arXiv 1804.08771): BLEU with NIST's exponential smoothing, chrF with beta 2 over the orders that occur.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from inft.scoring.cider import NGRAM_ORDER, Ngrams

Floats: TypeAlias = NDArray[numpy.float64]

BLEU_COUNTS = 2 + 2 * NGRAM_ORDER
CHARACTER_ORDER = 6
CHRF_COUNTS = 3 * CHARACTER_ORDER
BETA = 2


def bleu_counts(generated: Ngrams, reference: Ngrams) -> list[int]:
    """What BLEU adds up of a row.

    Returns:
        `BLEU_COUNTS` numbers: both lengths in words, the matches of each order, the n-grams of each order.
    """
    matches, totals, length = [0] * NGRAM_ORDER, [0] * NGRAM_ORDER, 0
    for ngram, count in generated.items():
        totals[len(ngram) - 1] += count
    for ngram in generated.keys() & reference.keys():
        matches[len(ngram) - 1] += min(generated[ngram], reference[ngram])
    for ngram, count in reference.items():
        if len(ngram) == 1:
            length += count
    return [totals[0], length, *matches, *totals]


def chrf_counts(generated: str, reference: str) -> list[int]:
    """What chrF adds up of a row.

    Returns:
        `CHRF_COUNTS` numbers: for each order the n-grams of characters of both texts, and those that match.
    """
    one, other = "".join(generated.split()), "".join(reference.split())
    found: list[int] = []
    for order in range(1, CHARACTER_ORDER + 1):
        left, right = _character_ngrams(one, order), _character_ngrams(other, order)
        matches = sum(min(left[ngram], right[ngram]) for ngram in left.keys() & right.keys())
        # As sacreBLEU has it: n-grams longer than the whole reference are not held against a caption.
        found += [max(len(one) - order + 1, 0) if right else 0, max(len(other) - order + 1, 0), matches]
    return found


def bleu4(counts: Floats) -> Floats:
    """BLEU-4, 0 to 100.

    Args:
        counts: (..., BLEU_COUNTS), each the sum over a corpus.

    Returns:
        As many as there are corpora, shape (...).
    """
    length, expected = counts[..., 0], counts[..., 1]
    matches, totals = counts[..., 2 : 2 + NGRAM_ORDER], counts[..., 2 + NGRAM_ORDER :]
    with numpy.errstate(divide="ignore", invalid="ignore"):
        # The first order without a match counts as half an n-gram, the next as a quarter.
        smoothed = 0.5 ** numpy.cumsum(matches == 0, axis=-1)
        precisions = numpy.where(matches > 0, matches, smoothed) / totals
        brevity = numpy.where(length < expected, numpy.exp(1 - expected / length), 1.0)
        score: Floats = 100 * brevity * numpy.exp(numpy.log(precisions).mean(axis=-1))
    # Nothing matches, or no caption has four words.
    return numpy.where((matches.sum(axis=-1) > 0) & (totals[..., -1] > 0), score, 0.0)


def chrf(counts: Floats) -> Floats:
    """ChrF, 0 to 100.

    Args:
        counts: (..., CHRF_COUNTS), each the sum over a corpus.

    Returns:
        As many as there are corpora, shape (...).
    """
    orders = counts.reshape(*counts.shape[:-1], CHARACTER_ORDER, 3)
    generated, expected, matches = orders[..., 0], orders[..., 1], orders[..., 2]
    occurring = (generated > 0) & (expected > 0)
    number = numpy.maximum(occurring.sum(axis=-1), 1)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        precision = numpy.where(occurring, matches / generated, 0.0).sum(axis=-1) / number
        recall = numpy.where(occurring, matches / expected, 0.0).sum(axis=-1) / number
        score: Floats = 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
    return numpy.where(precision + recall > 0, score, 0.0)


def _character_ngrams(text: str, order: int) -> Counter[str]:
    return Counter([text[start : start + order] for start in range(len(text) - order + 1)])
