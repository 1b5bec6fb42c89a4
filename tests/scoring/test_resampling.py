"""Intervals and significance: reproducible, as wide as they should be, and wrong as often as they say."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import numpy
import pytest

from inft.scoring.measuring import Measured, figures_of, measure
from inft.scoring.resampling import difference, intervals, significance
from tests.scoring.captions import predictions


@cache
def measured(seed: int = 0) -> Measured:
    return measure([one for one in predictions(seed=seed) if one.language in ("en", "si", "ur")], "standard")


def test_the_same_seed_draws_the_same() -> None:
    once, again, other = (intervals(measured(), 200, seed) for seed in (1, 1, 2))
    assert numpy.array_equal(once.pooled, again.pooled)
    assert not numpy.array_equal(once.pooled, other.pooled)


def test_a_languages_interval_is_the_same_without_the_others() -> None:
    alone = replace(measured(), counts={"si": measured().counts["si"]})
    assert numpy.array_equal(intervals(alone, 200, 1).languages["si"], intervals(measured(), 200, 1).languages["si"])


def test_scores_lie_within_and_a_mean_has_the_width_of_a_mean() -> None:
    found, real = intervals(measured(), 4000, 0), figures_of(measured().totals)
    for name, (low, high) in found.languages.items():
        assert (low < real.languages[name]).all()
        assert (real.languages[name] < high).all()
    for spans, figures in ((found.macro, real.macro), (found.pooled, real.pooled)):
        assert (spans[0] < figures).all()
        assert (figures < spans[1]).all()
        assert (spans[1] - spans[0] < found.languages["en"][1] - found.languages["en"][0]).all()
    cider = 100 * measured().counts["en"][:, -3]
    expected = 2 * 1.96 * cider.std() / numpy.sqrt(len(cider))
    assert found.languages["en"][1, 2] - found.languages["en"][0, 2] == pytest.approx(expected, rel=0.06)


def test_more_than_fits_at_once_is_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intervals(measured(), 2000, 3).pooled
    monkeypatch.setattr("inft.scoring.resampling._AT_ONCE", 1000)
    parts = intervals(measured(), 2000, 3).pooled
    assert parts == pytest.approx(whole, rel=0.03)


def test_a_set_does_not_differ_from_itself() -> None:
    assert (significance(measured(), measured(), 100, 0).pooled == 1).all()
    assert (difference(measured(), measured()).macro == 0).all()


def test_a_worse_set_differs() -> None:
    rows = [one for one in predictions() if one.language in ("en", "si", "ur")]
    worse = measure([replace(one, generated=one.generated[: len(one.generated) // 2]) for one in rows], "standard")
    p = significance(measured(), worse, 500, 0)
    assert (difference(measured(), worse).pooled > 5).all()
    assert p.pooled == pytest.approx([1 / 501] * 3)
    assert p.macro == pytest.approx([1 / 501] * 3)
    assert (p.languages["en"] < 0.05).all()
    assert significance(worse, measured(), 500, 0).pooled == pytest.approx(p.pooled)


def test_chance_is_found_significant_as_often_as_it_says() -> None:
    """Sides changed at random: p is below 0.2 in a fifth of the cases, give or take three standard errors."""
    chance, below = random.Random(5), []
    first, second = measured(0), measured(1)
    for number in range(100):
        mixed, rest = {}, {}
        for language, counts in first.counts.items():
            swap = numpy.array([chance.random() < 0.5 for _ in counts])[:, None]
            mixed[language] = numpy.where(swap, second.counts[language], counts)
            rest[language] = numpy.where(swap, counts, second.counts[language])
        p = significance(replace(first, counts=mixed), replace(first, counts=rest), 200, number)
        below.append(p.pooled < 0.2)
    share = numpy.mean(below, axis=0)
    assert (share > 0.08).all()
    assert (share < 0.32).all()
