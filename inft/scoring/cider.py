"""CIDEr-D: how alike two captions are in the words and phrases that tell captions apart.

Source: Vedantam, Zitnick, Parikh, "CIDEr: Consensus-based Image Description Evaluation" (arXiv 1411.5726), sections 3
and 4, for one reference a row, as pycocoevalcap's `Cider` computes it: n-grams of one to four words, weighted by how
often they occur here times how few references hold them; for each n the cosine of both vectors, a caption's weights cut
to those of its reference, times a Gaussian of their difference in length; the mean over n, times ten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

NGRAM_ORDER = 4
SIGMA = 6.0
"""Of the Gaussian, in words."""

Ngram: TypeAlias = tuple[str, ...]
Ngrams: TypeAlias = Mapping[Ngram, int]
"""How often each sequence of one to four words occurs in a text."""


def count_ngrams(words: Sequence[str]) -> Ngrams:
    """The n-grams of a text.

    >>> count_ngrams(["a", "b", "a"])[("a",)]
    2
    """
    counts: Counter[Ngram] = Counter()
    for n in range(1, NGRAM_ORDER + 1):
        counts.update(zip(*(words[start:] for start in range(n)), strict=False))
    return counts


@dataclass(frozen=True)
class DocumentFrequencies:
    """How many references hold an n-gram.

    Attributes:
        counts: of each n-gram that any holds.
        documents: the number of references.
    """

    counts: Mapping[Ngram, int]
    documents: int

    @classmethod
    def among(cls, references: Iterable[Sequence[str]]) -> DocumentFrequencies:
        """Those of references in words."""
        counts: Counter[Ngram] = Counter()
        documents = 0
        for words in references:
            documents += 1
            counts.update(count_ngrams(words).keys())
        return cls(counts, documents)

    @classmethod
    def together(cls, parts: Iterable[DocumentFrequencies]) -> DocumentFrequencies:
        """Those of all the references of `parts`."""
        counts: Counter[Ngram] = Counter()
        documents = 0
        for part in parts:
            documents += part.documents
            counts.update(part.counts)
        return cls(counts, documents)

    @cached_property
    def rarities(self) -> dict[Ngram, float]:
        """The logarithm of all references over those that hold it, of each n-gram that more than one holds."""
        logarithms = {count: self.rarest - math.log(count) for count in set(self.counts.values())}
        return {ngram: logarithms[count] for ngram, count in self.counts.items() if count > 1}

    @property
    def rarest(self) -> float:
        """The same of any other, whether one reference holds it or none."""
        return math.log(self.documents or 1)


def cider(generated: Ngrams, reference: Ngrams, frequencies: DocumentFrequencies) -> float:
    """CIDEr-D of one caption, between 0 and 10."""
    rarities, rarest = frequencies.rarities, frequencies.rarest
    products = [0.0] * NGRAM_ORDER
    generated_squares = [0.0] * NGRAM_ORDER
    reference_squares = [0.0] * NGRAM_ORDER
    for ngram, count in reference.items():
        weight = count * rarities.get(ngram, rarest)
        reference_squares[len(ngram) - 1] += weight * weight
    for ngram, count in generated.items():
        rarity = rarities.get(ngram, rarest)
        weight = count * rarity
        generated_squares[len(ngram) - 1] += weight * weight
        if ngram in reference:
            expected = reference[ngram] * rarity
            products[len(ngram) - 1] += min(weight, expected) * expected
    total = 0.0
    for product, one, other in zip(products, generated_squares, reference_squares, strict=True):
        if one and other:
            total += product / math.sqrt(one * other)
    difference = _pairs(generated) - _pairs(reference)
    return 10 * total / NGRAM_ORDER * math.exp(-(difference**2) / (2 * SIGMA**2))


def _pairs(ngrams: Ngrams) -> int:
    """What pycocoevalcap takes for a text's length: its pairs of words, which differ as its words do.

    Only a text of no word has as many pairs as one of one word.
    """
    return sum(count for ngram, count in ngrams.items() if len(ngram) == 2)
