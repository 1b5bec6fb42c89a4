"""Scores of captions per language, their mean over languages, and those of all rows together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inft.scoring.cider import DocumentFrequencies
from inft.scoring.figures import Floats
from inft.scoring.measuring import Measured, figures_of, measure
from inft.scoring.modes import ScoreMode
from inft.scoring.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Scores:
    """How good the captions of a set of rows are.

    Attributes:
        bleu4: BLEU-4, 0 to 100.
        chrf: chrF, 0 to 100.
        cider: CIDEr-D times 100, 0 to 1,000.
        rows: how many captions that is about, those that failed with them.
        failures: rows without a caption, which count as empty ones.
    """

    bleu4: float
    chrf: float
    cider: float
    rows: int
    failures: int


@dataclass(frozen=True)
class ScoreReport:
    """Scores of a set of predictions.

    Attributes:
        mode: how words were told apart.
        languages: of each language by itself, in alphabetical order.
        macro: their mean: every language counts the same, however many rows it has.
        pooled: of all rows as one corpus, whose rare words are rare among all languages.
        signatures: how each figure came about: `chrf`, and of each language and `pooled`, `bleu4_en`, `cider_en`.
    """

    mode: ScoreMode
    languages: dict[str, Scores]
    macro: Scores
    pooled: Scores
    signatures: dict[str, str]


def score_predictions(
    predictions: Sequence[Prediction], mode: ScoreMode, *, documents: Mapping[str, DocumentFrequencies] | None = None
) -> ScoreReport:
    """Scores of `predictions`.

    Args:
        predictions: of any languages, in any order.
        mode: how words are told apart.
        documents: captions by language among which CIDEr counts how rare words are (`frequencies_among`), in place of
            the references of the predictions; for samples so small that every word of them would be rare. A language
            that is not there has its predictions' own.

    Raises:
        DataError: there are none.
        NotReadyError: a library that these languages need is not installed.
    """
    return report_of(measure(predictions, mode, documents=documents))


def report_of(measured: Measured) -> ScoreReport:
    """The scores of counted predictions."""
    figures = figures_of(measured.totals)
    rows = {language: len(counts) for language, counts in measured.counts.items()}
    overall = sum(rows.values()), sum(measured.failures.values())
    return ScoreReport(
        measured.mode,
        {
            language: _scores(of_language, rows[language], measured.failures[language])
            for language, of_language in figures.languages.items()
        },
        _scores(figures.macro, *overall),
        _scores(figures.pooled, *overall),
        measured.signatures,
    )


def _scores(figures: Floats, rows: int, failures: int) -> Scores:
    bleu4, chrf, cider = (float(figure) for figure in figures)
    return Scores(bleu4, chrf, cider, rows, failures)
