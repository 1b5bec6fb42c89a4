"""Languages whose words nothing here can tell apart, so that BLEU and CIDEr say little about them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from inft.scoring.modes import DEFAULT_TOKENIZER, ScoreMode, segmenter_of, tokenizer_of
from inft.scoring.predictions import Prediction

_WITHOUT_BLANKS = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "JAVANESE")
"""How Unicode's names of the letters begin that are written without blanks between words."""

_LOOKED_AT = 200
"""References of a language that are looked at; one script is soon recognised."""


def unsegmented(predictions: Sequence[Prediction], mode: ScoreMode) -> list[str]:
    """The languages most of whose letters are written without blanks between words, and that no segmenter is known for.

    >>> unsegmented([Prediction("th", "แมวนอนอยู่บนโต๊ะ", ""), Prediction("zh", "一隻貓", "")], "standard")
    ['th']
    """
    texts: dict[str, list[str]] = {}
    for prediction in predictions:
        texts.setdefault(prediction.language, []).append(prediction.reference)
    return [
        language
        for language, references in texts.items()
        if tokenizer_of(language, mode) == DEFAULT_TOKENIZER
        and segmenter_of(language, mode) is None
        and _lacks_blanks(references[:_LOOKED_AT])
    ]


def _lacks_blanks(references: Iterable[str]) -> bool:
    letters = [character for text in references for character in text if character.isalpha()]
    return 2 * sum(map(_is_without_blanks, letters)) > len(letters)


def _is_without_blanks(letter: str) -> bool:
    return letter > "\u0d7f" and unicodedata.name(letter, "").startswith(_WITHOUT_BLANKS)
