"""The counts of every row that all scores are made of, so that a score of any choice of rows is a sum away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy

from inft.errors import DataError
from inft.scoring.cider import DocumentFrequencies, cider, count_ngrams
from inft.scoring.figures import BLEU_COUNTS, CHRF_COUNTS, Floats, bleu4, bleu_counts, chrf, chrf_counts
from inft.scoring.modes import ScoreMode, require_segmenters
from inft.scoring.predictions import Prediction
from inft.scoring.words import Words, bleu_signature, chrf_signature, cider_signature, words

METRICS = ("bleu4", "chrf", "cider")
"""What the last dimension of a figure is."""

_BLEU = slice(0, BLEU_COUNTS)
_CHRF = slice(BLEU_COUNTS, BLEU_COUNTS + CHRF_COUNTS)
_CIDER, _POOLED_CIDER, _ROWS = range(BLEU_COUNTS + CHRF_COUNTS, BLEU_COUNTS + CHRF_COUNTS + 3)

CIDER_SCALE = 100
"""What the paper's tables multiply pycocoevalcap's value by."""


@dataclass(frozen=True)
class Measured:
    """A set of predictions, counted.

    Shapes: R rows of a language, K counts of a row: those of BLEU and of chrF, CIDEr among the language's references
    and among all of them, and 1 for the row itself.

    Attributes:
        mode: how words were told apart.
        counts: (R, K) by language.
        failures: rows without a caption, by language.
        signatures: how each figure comes about.
    """

    mode: ScoreMode
    counts: dict[str, Floats]
    failures: dict[str, int]
    signatures: dict[str, str]

    @property
    def totals(self) -> dict[str, Floats]:
        """The sum of all rows by language, (K,)."""
        return {language: counts.sum(axis=0) for language, counts in self.counts.items()}


@dataclass(frozen=True)
class Figures:
    """BLEU-4, chrF and CIDEr, one of `METRICS` each along the last dimension, of one corpus or several at once.

    Attributes:
        languages: of each language, (..., 3).
        macro: their mean, (..., 3).
        pooled: of all rows as one corpus, (..., 3).
    """

    languages: dict[str, Floats]
    macro: Floats
    pooled: Floats


def measure(
    predictions: Sequence[Prediction],
    mode: ScoreMode,
    documents: Mapping[str, DocumentFrequencies] | None = None,
    on_count: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Counts `predictions`.

    Args:
        predictions: of any languages.
        mode: how words are told apart.
        documents: in how many captions of a language each n-gram is, by language; those of the predictions' references,
            where a language is not there.
        on_count: told how many rows are done, after each.

    Raises:
        DataError: there are no predictions.
        NotReadyError: a library that these languages need is not installed.
    """
    if not predictions:
        raise DataError("There is nothing to score.", "Name a file that holds captions.")
    by_language: dict[str, list[Prediction]] = {}
    for prediction in sorted(predictions, key=lambda prediction: prediction.language):
        by_language.setdefault(prediction.language, []).append(prediction)
    require_segmenters(by_language, mode)
    # A row is passed through twice: its words are told apart, and once all are known, they are counted.
    done = count(1)
    texts = {
        language: [_told(one, mode, lambda: on_count(next(done) // 2)) for one in of_language]
        for language, of_language in by_language.items()
    }
    frequencies = {
        language: (documents or {}).get(language)
        or DocumentFrequencies.among(reference.cider for _, reference in pairs)
        for language, pairs in texts.items()
    }
    pooled = DocumentFrequencies.together(frequencies.values()) if len(frequencies) > 1 else None
    counts = {
        language: _counted(
            of_language, texts[language], frequencies[language], pooled, lambda: on_count(next(done) // 2)
        )
        for language, of_language in by_language.items()
    }
    failures = {language: sum(one.failed for one in of_language) for language, of_language in by_language.items()}
    return Measured(mode, counts, failures, _signatures(mode, frequencies))


def figures_of(totals: Mapping[str, Floats]) -> Figures:
    """The scores of summed counts.

    Args:
        totals: (..., K) by language; each sum is one corpus.
    """
    languages = {language: _figures(total, _CIDER) for language, total in totals.items()}
    macro: Floats = numpy.mean(numpy.stack(list(languages.values())), axis=0)
    together: Floats = numpy.sum(numpy.stack(list(totals.values())), axis=0)
    return Figures(languages, macro, _figures(together, _POOLED_CIDER))


def _figures(totals: Floats, cider_column: int) -> Floats:
    rarely = CIDER_SCALE * totals[..., cider_column] / totals[..., _ROWS]
    return numpy.stack([bleu4(totals[..., _BLEU]), chrf(totals[..., _CHRF]), rarely], axis=-1)


def _told(prediction: Prediction, mode: ScoreMode, on_row: Callable[[], None]) -> tuple[Words, Words]:
    on_row()
    language = prediction.language
    return words(prediction.scored, language, mode), words(prediction.reference, language, mode)


def frequencies_among(captions: Iterable[str], language: str, mode: ScoreMode) -> DocumentFrequencies:
    """How many of a language's captions hold each n-gram; for whoever scores against the same ones many times."""
    return DocumentFrequencies.among(words(caption, language, mode).cider for caption in captions)


def _counted(
    predictions: Sequence[Prediction],
    texts: Sequence[tuple[Words, Words]],
    frequencies: DocumentFrequencies,
    pooled: DocumentFrequencies | None,
    on_row: Callable[[], None],
) -> Floats:
    found = numpy.empty((len(predictions), _ROWS + 1))
    for row, (prediction, (generated, reference)) in enumerate(zip(predictions, texts, strict=True)):
        one, other = count_ngrams(generated.cider), count_ngrams(reference.cider)
        likeness = cider(one, other, frequencies)
        overall = likeness if pooled is None else cider(one, other, pooled)
        if generated.bleu is not generated.cider:
            one, other = count_ngrams(generated.bleu), count_ngrams(reference.bleu)
        characters = chrf_counts(prediction.scored, prediction.reference)
        found[row] = (*bleu_counts(one, other), *characters, likeness, overall, 1)
        on_row()
    return found


def _signatures(mode: ScoreMode, frequencies: Mapping[str, DocumentFrequencies]) -> dict[str, str]:
    groups = {language: [language] for language in frequencies} | {"pooled": list(frequencies)}
    found = {"chrf": chrf_signature()}
    for name, languages in groups.items():
        documents = sum(frequencies[language].documents for language in languages)
        found[f"bleu4_{name}"] = bleu_signature(languages, mode)
        found[f"cider_{name}"] = cider_signature(languages, mode, documents)
    return found
