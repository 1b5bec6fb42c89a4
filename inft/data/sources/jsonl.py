"""JSONL: one row a line, pictures in files beside it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from inft.data.rows import ImageRef, Row, RowFacts, UnreadableRow, article_key, has_text
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder, by_language, sole_language
from inft.data.sources.parts import PartedCorpus
from inft.errors import DataError

COLUMN_SAMPLE_ROWS = 100
"""Rows whose keys tell which columns a file has; a key may be absent from some rows."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_jsonl(folder: Path, languages: Sequence[str], split: str, names: ColumnNames) -> PartedCorpus:
    """`<folder>/<language>/<split>.jsonl` per language, or one `<folder>/<split>.jsonl` with a language column.

    Raises:
        DataError: a file or column is missing, or a file cannot be read.
    """

    def find(place: Path) -> Path | None:
        path = place / f"{split}.jsonl"
        return path if path.is_file() else None

    def splits_in(place: Path) -> list[str]:
        return [path.stem for path in place.glob("*.jsonl")]

    return PartedCorpus(
        [
            JsonlPart(found.data, folder, found.language, languages, names)
            for found in by_language(folder, languages, split, find, splits_in)
        ]
    )


class JsonlPart:
    """One file. Only where its lines start is kept; each access opens the file, so that forks share no position.

    Args:
        path: the file.
        corpus: folder that relative picture paths must not leave; they start at the file's own folder.
        language: language of all rows, None when a column tells.
        languages: those configured.
        names: the columns.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """

    def __init__(
        self, path: Path, corpus: Path, language: str | None, languages: Sequence[str], names: ColumnNames
    ) -> None:
        self._path = path
        self._name = path.relative_to(corpus).as_posix()
        self._names = names
        self._pictures = PictureFolder(corpus, path.parent)
        self._offsets = array("Q")
        self._lines = array("L")
        try:
            self._index()
            columns = self._columns()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read: {error.strerror}.", "Check the file and its permissions."
            ) from error
        self._language = sole_language(language, languages, names.language in columns)
        if columns:
            names.check(columns, str(path), language_needed=self._language is None)

    def __len__(self) -> int:
        return len(self._offsets)

    def place(self, index: int) -> str:
        """File and line, which counts from 1."""
        return f"{self._name} line {self._lines[index]}"

    def row(self, index: int) -> Row:
        """The row, read and parsed now.

        Raises:
            UnreadableRow: the line is not such a row.
        """
        place = self.place(index)
        with self._path.open("rb") as file:
            file.seek(self._offsets[index])
            line = file.readline()
        try:
            record = _parsed(line)
            language = self._language or _text(record, self._names.language)
            if not language:
                raise ValueError("no language")
            image = _text(record, self._names.image)
            return Row(
                language=language,
                title=_text(record, self._names.title) or "",
                content=_text(record, self._names.content) or "",
                caption=_text(record, self._names.caption) or "",
                image=ImageRef(self._pictures.resolve(image) if image else b"", place),
                place=place,
            )
        except ValueError as error:
            raise UnreadableRow(place, str(error)) from None

    def scan(self, *, articles: bool) -> Iterator[RowFacts]:
        """Parses every line once; of the pictures it asks the file system only whether they are there."""
        for line in self._rows():
            yield self._facts(line, articles)

    def _facts(self, line: bytes, articles: bool) -> RowFacts:
        language = self._language
        try:
            record = _parsed(line)
            language = language or _text(record, self._names.language)
            if not language:
                raise ValueError("no language")
            _text(record, self._names.title)
            image = _text(record, self._names.image)
            path, has_image = self._pictures.look(image) if image else ("", False)
            content = _text(record, self._names.content)
            return RowFacts(
                language=language,
                has_caption=has_text(_text(record, self._names.caption)),
                has_content=has_text(content),
                has_image=has_image,
                picture=path,
                article=article_key(content) if articles else 0,
            )
        except ValueError as error:
            return RowFacts(language, False, False, False, str(error))

    def _index(self) -> None:
        offset = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    self._offsets.append(offset)
                    self._lines.append(number)
                offset += len(line)

    def _rows(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for line in file:
                if not line.isspace():
                    yield line

    def _columns(self) -> set[str]:
        columns: set[str] = set()
        for record in islice(self._records(), COLUMN_SAMPLE_ROWS):
            columns.update(record)
        return columns

    def _records(self) -> Iterator[dict[str, Any]]:
        for line in self._rows():
            try:
                yield _parsed(line)
            except ValueError:
                continue  # the scan counts it


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(line.removeprefix(BYTE_ORDER_MARK))
    except ValueError as error:  # msgspec's own and UnicodeDecodeError derive from it
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"a row must be a JSON object, not {type(record).__name__}")
    return record


def _text(record: dict[str, Any], column: str) -> str | None:
    value = record.get(column)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{column} must be text, not {type(value).__name__}")
