"""Two files of captions of the same rows, in the same order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from inft.errors import DataError
from inft.runs.visible import visible
from inft.scoring.files import PredictionFile, counted, named_rows
from inft.scoring.predictions import Prediction
from inft.wording import shown

By = Literal["row", "order"]


@dataclass(frozen=True)
class Pair:
    """Two files whose captions stand beside each other.

    Attributes:
        first: the one.
        second: the other, in the order of the first.
        by: what told which rows belong together: their numbers, or their order within each language.
    """

    first: PredictionFile
    second: PredictionFile
    by: By


def pair(first: PredictionFile, second: PredictionFile) -> Pair:
    """Puts the rows of `second` into the order of `first`.

    Args:
        first: of some languages.
        second: of some languages.

    Raises:
        DataError: one has languages or rows that the other has not, or they were compared with different captions.
    """
    for one, other in ((first, second), (second, first)):
        absent = [language for language in one.languages if language not in other.languages]
        if absent:
            shared = [language for language in first.languages if language in second.languages]
            names = ",".join(shared)
            raise DataError(
                f"{visible(str(other.path))} has no captions of {', '.join(map(visible, absent))}, "
                f"which {visible(str(one.path))} has.",
                f"Compare what both have: --languages {visible(names)}."
                if shared
                else "They have no language in common.",
            )
    numbered = all(one.row is not None for one in (*first.predictions, *second.predictions))
    found = _by_row(first, second) if numbered else _by_order(first, second)
    for mine, theirs in zip(first.predictions, found, strict=True):
        if mine.reference.strip() != theirs.reference.strip():
            where = f"row {mine.row}" if numbered else f"caption {shown(mine.generated)}"
            raise DataError(
                f"In {visible(mine.language)}, {where} is compared with {shown(mine.reference)} in "
                f"{visible(str(first.path))} and with {shown(theirs.reference)} in {visible(str(second.path))}.",
                "Compare files that were made of the same rows of the same corpus.",
            )
    return Pair(first, replace(second, predictions=found), "row" if numbered else "order")


def _by_row(first: PredictionFile, second: PredictionFile) -> list[Prediction]:
    rows = {(one.language, one.row): one for one in second.predictions}
    wanted = [(one.language, one.row or 0) for one in first.predictions]
    for one, other, missing in (
        (first, second, [key for key in wanted if key not in rows]),
        (second, first, [(one.language, one.row or 0) for one in _others(second, set(wanted))]),
    ):
        if missing:
            raise DataError(
                f"{visible(str(other.path))} lacks {counted(len(missing), 'row')} that {visible(str(one.path))} has: "
                f"{named_rows(missing)}.",
                "Make both of the same rows: the same split, languages and number of rows.",
            )
    return [rows[key] for key in wanted]


def _others(file: PredictionFile, known: set[tuple[str, int]]) -> list[Prediction]:
    return [one for one in file.predictions if (one.language, one.row) not in known]


def _by_order(first: PredictionFile, second: PredictionFile) -> list[Prediction]:
    """What the rows are called is unknown, so that only equal numbers of them can belong together."""
    left = {language: [one for one in second.predictions if one.language == language] for language in second.languages}
    for language, others in left.items():
        rows = sum(one.language == language for one in first.predictions)
        if rows != len(others):
            raise DataError(
                f"In {visible(language)}, {visible(str(first.path))} has {counted(rows, 'row')} and "
                f"{visible(str(second.path))} has {len(others):,}, without numbers that tell which belong together.",
                "Give every row its `row`, or compare files of the same rows.",
            )
    following = {language: iter(others) for language, others in left.items()}
    return [next(following[one.language]) for one in first.predictions]
