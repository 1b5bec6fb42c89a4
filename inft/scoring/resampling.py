"""How far scores are from chance: intervals of one set of captions, and whether a second one differs.

Rows are drawn within each language, so that every resampled corpus has the languages of the real one. What CIDEr takes
for a rare word stays as it is in the whole corpus.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

import numpy

from inft.scoring.figures import Floats
from inft.scoring.measuring import Figures, Measured, figures_of

LEVEL = 0.95
"""Share of the resampled corpora that an interval holds."""

_AT_ONCE = 4_000_000
"""Numbers drawn at a time: 32 MB."""

_EQUAL = 1e-9
"""Differences below this come from the order of additions."""

_Sums: TypeAlias = Callable[[numpy.random.Generator, int], Floats]
"""Makes the summed counts of so many resampled corpora of a language."""


def intervals(measured: Measured, resamples: int, seed: int) -> Figures:
    """The percentile bootstrap's interval of every score (Koehn, W04-3250, section 3).

    Args:
        measured: what is scored.
        resamples: how many corpora are drawn, at least 1.
        seed: of the draws; each language has its own, so that its interval is the same without the others.

    Returns:
        Shape (2, 3): the lower and the upper ends.
    """

    def drawn(counts: Floats) -> _Sums:
        rows = len(counts)

        def sums(random: numpy.random.Generator, corpora: int) -> Floats:
            picked = random.integers(0, rows, size=(corpora, rows))
            picked += numpy.arange(corpora)[:, None] * rows
            times = numpy.bincount(picked.ravel(), minlength=corpora * rows).reshape(corpora, rows)
            return times.astype(numpy.float64) @ counts

        return sums

    totals = {
        language: _resampled(drawn(counts), len(counts), resamples, _random(seed, language))
        for language, counts in measured.counts.items()
    }
    return _each(figures_of(totals), _ends)


def difference(first: Measured, second: Measured) -> Figures:
    """The scores of `first` less those of `second`, (3,)."""
    return _difference(figures_of(first.totals), figures_of(second.totals))


def significance(first: Measured, second: Measured, trials: int, seed: int) -> Figures:
    """A two-sided test by approximate randomisation (Noreen 1989; Riezler and Maxwell, W05-0908, section 4).

    In each trial, every row's two captions change sides with probability one half; p is the share of trials whose
    difference is at least the real one, the real one counted among them.

    Args:
        first: one set.
        second: the other, with the same languages and their rows in the same order.
        trials: how often sides are changed, at least 1.
        seed: of the draws.

    Returns:
        p of every score, (3,).
    """

    def swapped(random: numpy.random.Generator, language: str) -> tuple[Floats, Floats]:
        gain = second.counts[language] - first.counts[language]
        rows = len(gain)

        def moved(random: numpy.random.Generator, corpora: int) -> Floats:
            return random.integers(0, 2, size=(corpora, rows)).astype(numpy.float64) @ gain

        changes = _resampled(moved, rows, trials, random)
        return first.totals[language] + changes, second.totals[language] - changes

    sides = {language: swapped(_random(seed, language), language) for language in first.counts}
    real = difference(first, second)
    chance = _difference(
        figures_of({language: one for language, (one, _) in sides.items()}),
        figures_of({language: other for language, (_, other) in sides.items()}),
    )
    return Figures(
        {language: _p(chance.languages[language], figures) for language, figures in real.languages.items()},
        _p(chance.macro, real.macro),
        _p(chance.pooled, real.pooled),
    )


def _random(seed: int, language: str) -> numpy.random.Generator:
    digest = hashlib.sha256(language.encode("utf-8", "backslashreplace")).digest()
    return numpy.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def _resampled(sums: _Sums, rows: int, corpora: int, random: numpy.random.Generator) -> Floats:
    """(corpora, K), made in parts that fit into memory."""
    at_once = max(_AT_ONCE // rows, 1)
    parts = [sums(random, min(at_once, corpora - done)) for done in range(0, corpora, at_once)]
    return numpy.concatenate(parts)


def _ends(figures: Floats) -> Floats:
    found: Floats = numpy.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return found


def _p(chance: Floats, real: Floats) -> Floats:
    as_large = (numpy.abs(chance) >= numpy.abs(real) - _EQUAL).sum(axis=0)
    found: Floats = (as_large + 1) / (len(chance) + 1)
    return found


def _each(figures: Figures, change: Callable[[Floats], Floats]) -> Figures:
    languages = {language: change(of_language) for language, of_language in figures.languages.items()}
    return Figures(languages, change(figures.macro), change(figures.pooled))


def _difference(first: Figures, second: Figures) -> Figures:
    languages = {language: figures - second.languages[language] for language, figures in first.languages.items()}
    return Figures(languages, first.macro - second.macro, first.pooled - second.pooled)
