"""Captions of a handful of rows that nobody trained on, scored at every evaluation."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from peft import PeftModel

from inft.captioning.captioner import Caption, caption_rows
from inft.captioning.settings import GenerationSettings
from inft.data.collators import CaptionCollator
from inft.data.rows import UnusableRow
from inft.evaluation_figures import PREFIX
from inft.scoring.cider import DocumentFrequencies
from inft.scoring.measuring import frequencies_among
from inft.scoring.predictions import Prediction
from inft.scoring.scores import Scores, score_predictions
from inft.scoring.words import words

ROWS_BETWEEN_LOOKS = 64
"""Rows read until somebody may ask for an end."""


def drawn_rows(languages: Mapping[str, range], count: int, seed: int) -> list[int]:
    """At most `count` rows of each language, always the same ones of the same seed.

    >>> drawn_rows({"en": range(0, 3), "si": range(3, 5)}, 2, seed=1)
    [0, 2, 3, 4]
    """
    return [
        row
        for language, rows in languages.items()
        for row in sorted(random.Random(f"{seed}-{language}-captions").sample(rows, min(count, len(rows))))
    ]


def check_tokenisers(languages: Iterable[str]) -> None:
    """Tells a word of each language apart, since what is installed need not load.

    Raises:
        LibraryError: what that takes for one of them cannot be loaded.
    """
    for language in languages:
        words("word", language, "standard")


class CaptionScores:
    """Captions the same rows time after time, and says how good the captions are.

    CIDEr counts how rare words are among all captions that the rows were drawn from, since every word of a handful is
    rare.

    Args:
        collator: of the rows evaluated on.
        rows: those that are captioned.
        settings: how captions are generated.
        batch_size: rows at a time.
        write: is given all captions once they are there, and the optimiser steps done.
    """

    def __init__(
        self,
        collator: CaptionCollator,
        rows: Sequence[int],
        settings: GenerationSettings,
        *,
        batch_size: int,
        write: Callable[[Sequence[Caption], int], None],
    ) -> None:
        self._collator = collator
        self._rows = rows
        self._settings = settings
        self._batch_size = batch_size
        self._write = write
        self._texts: dict[int, tuple[str, str]] = {}
        self._documents: dict[str, DocumentFrequencies] = {}

    def figures(self, model: PeftModel, step: int, go_on: Callable[[], None]) -> dict[str, float]:
        """The scores as an evaluation's event calls them: each metric of each language, and the languages' mean.

        Args:
            model: base with adapters; its mode is as it was, afterwards.
            step: optimiser steps done.
            go_on: called between batches; may raise to end it, and then nothing was written.
        """
        began = time.perf_counter()
        if not self._documents:
            self._texts = self._read(go_on)
            self._documents = self._count(go_on)
        rows = [row for row in self._rows if row in self._texts]
        made = caption_rows(
            model, self._collator, rows, self._settings, batch_size=self._batch_size, before_batch=go_on
        )
        captions = [caption for batch in made for caption in batch]
        predictions = [
            Prediction(*self._texts[caption.row], caption.text, caption.row, caption.failure) for caption in captions
        ]
        report = score_predictions(predictions, "standard", documents=self._documents)
        figures = _named(report.macro)
        for language, scores in report.languages.items():
            figures |= _named(scores, f"_{language}")
        self._write(captions, step)
        return figures | {
            f"{PREFIX}caption_failures": report.macro.failures,
            f"{PREFIX}caption_sec": round(time.perf_counter() - began, 3),
        }

    def _count(self, go_on: Callable[[], None]) -> dict[str, DocumentFrequencies]:
        """In how many of the captions each sequence of words is, by language."""
        captions: dict[str, list[str]] = {}
        for language, text in self._texts.values():
            captions.setdefault(language, []).append(text)
        found = {}
        for language, texts in captions.items():
            go_on()
            found[language] = frequencies_among(texts, language, "standard")
        return found

    def _read(self, go_on: Callable[[], None]) -> dict[int, tuple[str, str]]:
        """Language and caption of every row that can be read, by number."""
        corpus = self._collator.corpus
        texts = {}
        for number in range(len(corpus)):
            if number % ROWS_BETWEEN_LOOKS == 0:
                go_on()
            try:
                row = corpus[number]
            except UnusableRow:
                continue  # the evaluation's loss has counted it
            texts[number] = (row.language, row.caption.strip())
        return texts


def _named(scores: Scores, ending: str = "") -> dict[str, float]:
    figures = {"chrf": scores.chrf, "bleu4": scores.bleu4, "cider": scores.cider}
    return {f"{PREFIX}{metric}{ending}": value for metric, value in figures.items()}
