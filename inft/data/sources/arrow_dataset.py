"""A `datasets.Dataset` as part of a corpus: memory-mapped Arrow files, pictures left encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from datasets import Dataset, Image

from inft.data.rows import Row, RowFacts, UnreadableRow
from inft.data.sources.arrow import check_types, picture_facts, row_from, text_facts, with_picture
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder, sole_language

SCAN_BATCH_ROWS = 256
"""Rows looked at together. Usually a view of the file; a dataset that was shuffled before it was saved is copied."""


class DatasetPart:
    """One dataset.

    Args:
        dataset: as datasets loads it.
        name: how messages call it.
        language: language of all rows, None when a column tells.
        languages: those configured.
        names: the columns.
        pictures: what picture paths are relative to, where the pictures are not in the dataset itself.

    Raises:
        DataError: a column is missing or holds something else.
    """

    def __init__(
        self,
        dataset: Dataset,
        name: str,
        language: str | None,
        languages: Sequence[str],
        names: ColumnNames,
        pictures: PictureFolder,
    ) -> None:
        self._name = name
        self._names = names
        self._pictures = pictures
        self._language = sole_language(language, languages, names.language in dataset.column_names)
        names.check(dataset.column_names, name, language_needed=self._language is None)
        check_types(dataset.features.arrow_schema, names, name)
        texts = [names.caption, names.content, *([] if self._language else [names.language])]
        wanted = {*texts, names.image, names.title}
        dataset = dataset.with_format(None).select_columns([c for c in dataset.column_names if c in wanted])
        if isinstance(dataset.features[names.image], Image):
            dataset = dataset.cast_column(names.image, Image(decode=False))
        self._dataset: Dataset = dataset
        self._scan_columns = sorted({*texts, names.image})

    def __len__(self) -> int:
        return len(self._dataset)

    def place(self, index: int) -> str:
        """Dataset and row, which counts from 0."""
        return f"{self._name} row {index}"

    def row(self, index: int) -> Row:
        """The row, read from the memory-mapped file.

        Raises:
            UnreadableRow: it is not what it should be.
        """
        place = self.place(index)
        try:
            record = self._dataset[index]
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise UnreadableRow(place, str(error)) from error
        return row_from(record, place, self._language, self._names, self._pictures)

    def scan(self, *, articles: bool) -> Iterator[RowFacts]:
        """Reads the text columns, and of the pictures only lengths and null flags."""
        tables = self._dataset.select_columns(self._scan_columns).with_format("arrow")
        for table in tables.iter(SCAN_BATCH_ROWS):
            texts = text_facts(table, self._language, self._names, articles=articles)
            images = picture_facts(table[self._names.image], self._pictures)
            for facts, picture in zip(texts, images, strict=True):
                yield with_picture(facts, picture)
