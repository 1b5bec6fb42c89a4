"""Files of captions: what `score --model` writes, and those of the MUNIChus scripts.

A file has a JSON object for each row, one a line or all in one array. What a row is called differs between programs;
each of `LANGUAGE_KEYS`, `GENERATED_KEYS` and `REFERENCE_KEYS` is looked for in its order. A row whose caption is empty
stays: leaving it out would reward a model for what it could not do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from inft.errors import DataError
from inft.runs.visible import visible
from inft.scoring.modes import code_of_name
from inft.scoring.predictions import Prediction
from inft.wording import shown

LANGUAGE_KEYS = ("language", "lang")
GENERATED_KEYS = ("generated_caption", "prediction")
REFERENCE_KEYS = ("reference_caption", "reference", "caption")

JOB_SUFFIX = ".job.json"
"""What follows a file's name in that of its job: what it is the result of, and which rows it will hold."""

NAMED = 5
"""Rows that a message names."""


class _Job(msgspec.Struct):
    """What of a file's job matters here."""

    rows: dict[str, list[int]]


@dataclass(frozen=True)
class PredictionFile:
    """A file of captions, read.

    Attributes:
        path: the file.
        predictions: its rows, in its order.
        job_rows: the numbers of all the rows it will hold, by language; None where nothing says so.
    """

    path: Path
    predictions: Sequence[Prediction]
    job_rows: dict[str, list[int]] | None

    @property
    def languages(self) -> list[str]:
        """Those of its rows, in the order in which they occur."""
        return list(dict.fromkeys(prediction.language for prediction in self.predictions))

    def of_languages(self, languages: Sequence[str]) -> PredictionFile:
        """The rows of these languages, in the order of `languages`.

        Raises:
            DataError: there are none of one of them.
        """
        absent = [language for language in languages if language not in self.languages]
        if absent:
            raise DataError(
                f"{_name(self.path)} has no captions of {_listed(absent)}.",
                f"It has those of {_listed(self.languages)}: name some of them with --languages.",
            )
        chosen = [one for language in languages for one in self.predictions if one.language == language]
        rows = self.job_rows
        return replace(
            self,
            predictions=chosen,
            job_rows=None if rows is None else {language: rows.get(language, []) for language in languages},
        )

    def require_complete(self) -> None:
        """Says so where rows are still to come.

        Raises:
            DataError: the job of the file has more rows.
        """
        if self.job_rows is None:
            return
        there = {(prediction.language, prediction.row) for prediction in self.predictions}
        missing = [
            (language, row) for language, rows in self.job_rows.items() for row in rows if (language, row) not in there
        ]
        if missing:
            raise DataError(
                f"{_name(self.path)} lacks {counted(len(missing), 'row')} of its job: {named_rows(missing)}.",
                "Make them first: the command that began the file goes on where it ended.",
            )


def read_predictions(path: Path) -> PredictionFile:
    """The captions of a file.

    Raises:
        DataError: there is no such file, it cannot be read, a row of it cannot be used, it has one twice, or none.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"There is no file {_name(path)}.", "Name one that `inft-tui score --model` wrote, or make it so."
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{_name(path)} cannot be read: {reason}.", "Name a file of captions.") from error
    predictions: list[Prediction] = []
    places: dict[object, str] = {}
    for place, record in _records(path, content):
        prediction = _prediction(f"{_name(path)}, {place}", record)
        key = _identity(prediction, record)
        if key in places:
            numbered = prediction.row is not None
            row = f"row {prediction.row} of {visible(prediction.language)}" if numbered else "the same row"
            raise DataError(
                f"{_name(path)} has {row} twice: {places[key]} and {place}.",
                "Remove one of them." if numbered else "Remove one of them, or give every row a number, `row`.",
            )
        places[key] = place
        predictions.append(prediction)
    if not predictions:
        raise DataError(f"{_name(path)} has no captions: there is nothing to score.", "Name a file that has some.")
    return PredictionFile(path, predictions, _job_rows(path))


def named_rows(rows: Sequence[tuple[str, int]]) -> str:
    """The first of some rows, and how many more there are.

    >>> named_rows([("en", 4), ("zh", 0)])
    'en 4, zh 0'
    """
    names = ", ".join(f"{visible(language)} {row}" for language, row in rows[:NAMED])
    return names if len(rows) <= NAMED else f"{names} and {len(rows) - NAMED:,} more"


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _records(path: Path, content: bytes) -> Iterator[tuple[str, object]]:
    """Each record, and where it stands."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.lstrip()[:1] == b"[":
        records = _decoded(_name(path), content)
        assert isinstance(records, list)
        for number, record in enumerate(records, start=1):
            yield f"entry {number}", record
        return
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield f"line {number}", _decoded(f"{_name(path)}, line {number}", line)


def _decoded(place: str, content: bytes) -> object:
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{place}: this is no whole JSON value.",
            "Correct it; a half line at the end is cut by the command that was writing the file, if you run it again.",
        ) from error
    return found


def _identity(prediction: Prediction, record: object) -> object:
    """What no second row may have: its number in its language; where it has none, everything that stands there."""
    if prediction.row is not None:
        return prediction.language, prediction.row
    return json.dumps(record, sort_keys=True)


def _prediction(place: str, record: object) -> Prediction:
    if not isinstance(record, dict):
        raise DataError(f"{place}: {shown(record)} is no JSON object.", "Every row has its keys and values in braces.")
    language = _text(place, record, LANGUAGE_KEYS).strip()
    reference = _text(place, record, REFERENCE_KEYS)
    for value, keys in ((language, LANGUAGE_KEYS), (reference, REFERENCE_KEYS)):
        if not value.strip():
            raise DataError(f"{place}: {_key(record, keys)} is empty.", "Leave the row out, or say what it is.")
    code = code_of_name(language)
    if code is not None:
        raise DataError(
            f"{place}: {_key(record, LANGUAGE_KEYS)} = {shown(language)} is a language's name, by which its words are "
            "not told apart.",
            f"Write the language's code, {code}, in every row.",
        )
    row, failure = record.get("row"), record.get("failure")
    if row is not None and (type(row) is not int or row < 0):
        raise DataError(f"{place}: row = {shown(row)} is no row's number.", "Make it a whole number, or leave it out.")
    if failure is not None and not isinstance(failure, str):
        raise DataError(f"{place}: failure = {shown(failure)} is no text.", "Make it the reason, or null.")
    return Prediction(language, reference, _text(place, record, GENERATED_KEYS, nothing=""), row, failure)


def _text(place: str, record: dict[str, object], keys: Sequence[str], nothing: str | None = None) -> str:
    """The text under the first of `keys` that is there; null is `nothing`, where that may be."""
    key = _key(record, keys)
    if key is None:
        raise DataError(f"{place}: {' or '.join(keys)} is missing.", "Every row has a language and both its captions.")
    value = record[key]
    if value is None and nothing is not None:
        return nothing
    if not isinstance(value, str):
        raise DataError(f"{place}: {key} = {shown(value)} is no text.", "Put it in quotation marks.")
    # Half a surrogate pair, which JSON can spell, is no text that could be segmented.
    return value.encode("utf-8", "replace").decode("utf-8")


def _key(record: dict[str, object], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if key in record), None)


def _job_rows(path: Path) -> dict[str, list[int]] | None:
    job = path.with_name(path.name + JOB_SUFFIX)
    try:
        content = job.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{_name(job)} cannot be read: {reason}.", "It says which rows the captions are of.") from error
    try:
        return msgspec.json.decode(content, type=_Job).rows
    except msgspec.DecodeError as error:
        raise DataError(
            f"{_name(job)} does not say which rows the captions are of: {error}.",
            "Make the captions anew with --force, or remove this file to score what is there.",
        ) from error


def _listed(languages: Sequence[str]) -> str:
    return ", ".join(visible(language) for language in languages)


def _name(path: Path) -> str:
    return visible(str(path))
