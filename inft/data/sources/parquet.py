"""Parquet files, read where they lie: a row group at a time, nothing converted or copied to a cache."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from inft.data.rows import Row, RowFacts, UnreadableRow
from inft.data.sources.arrow import (
    PictureFacts,
    check_types,
    is_bytes,
    is_picture_struct,
    picture_facts,
    row_from,
    text_facts,
    with_picture,
)
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder, by_language, sole_language
from inft.data.sources.parts import PartedCorpus
from inft.errors import DataError

SHARD = re.compile(r"(?P<split>.+?)-\d+(-of-\d+)?(-[0-9a-f]+)?")
"""Name of one file of several, as datasets writes it: train-00000-of-00002, older ones with a hash behind."""

CACHE_BYTES = 128 << 20
"""Decoded row groups kept per process. One group is kept whatever its size."""

MAX_ROW_GROUP_BYTES = 512 << 20
"""A row costs reading its whole group, in every worker. datasets writes groups of about 100 MB."""

TEXT_BATCH_ROWS = 1024
PICTURE_BATCH_ROWS = 64
"""Rows of pictures read at a time when a scan has to; 64 news photographs are some 10 MB."""


def open_parquet(folder: Path, languages: Sequence[str], split: str, names: ColumnNames) -> PartedCorpus:
    """`<split>.parquet`, `<split>-*.parquet` or `<split>/*.parquet`, in a folder per language or in one for all.

    Raises:
        DataError: a file or column is missing, a file is damaged, or its row groups are too large.
    """

    def find(place: Path) -> list[Path] | None:
        return _files(place, split) or None

    cache = RowGroupCache()
    return PartedCorpus(
        [
            ParquetPart(path, folder, found.language, languages, names, cache)
            for found in by_language(folder, languages, split, find, _splits)
            for path in found.data
        ]
    )


class RowGroupCache:
    """The row groups decoded last, by file and number. Starts empty in a process that it is pickled into."""

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._tables: OrderedDict[tuple[Path, int], pa.Table] = OrderedDict()

    def read(self, path: Path, group: int, columns: Sequence[str]) -> pa.Table:
        """The group, from memory or from the file.

        Raises:
            OSError, pa.ArrowException: the file is gone or damaged.
        """
        key = (path, group)
        if key in self._tables:
            self._tables.move_to_end(key)
            return self._tables[key]
        with pq.ParquetFile(path) as file:
            # Workers are parallel already; more threads in each would fight for the same cores.
            table = file.read_row_group(group, columns=list(columns), use_threads=False)
        self._tables[key] = table
        size = sum(kept.nbytes for kept in self._tables.values())
        while size > self._limit_bytes and len(self._tables) > 1:
            _, dropped = self._tables.popitem(last=False)
            size -= dropped.nbytes
        return table

    def __getstate__(self) -> dict[str, Any]:
        return {"_limit_bytes": self._limit_bytes, "_tables": OrderedDict()}


class ParquetPart:
    """One file.

    Args:
        path: the file.
        corpus: folder that relative picture paths must not leave; they start at the file's own folder.
        language: language of all rows, None when a column tells.
        languages: those configured.
        names: the columns.
        cache: shared by all files of the corpus.

    Raises:
        DataError: the file is damaged, lacks a column, or has row groups over `MAX_ROW_GROUP_BYTES`.
    """

    def __init__(
        self,
        path: Path,
        corpus: Path,
        language: str | None,
        languages: Sequence[str],
        names: ColumnNames,
        cache: RowGroupCache,
    ) -> None:
        self._path = path
        self._name = path.relative_to(corpus).as_posix()
        self._names = names
        self._pictures = PictureFolder(corpus, path.parent)
        self._cache = cache
        try:
            with pq.ParquetFile(path) as file:
                schema, metadata = file.schema_arrow, file.metadata
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error
        self._language = sole_language(language, languages, names.language in schema.names)
        names.check(schema.names, str(path), language_needed=self._language is None)
        check_types(schema, names, str(path))
        self._picture_type = schema.field(names.image).type
        self._text_columns = sorted({names.caption, names.content, *([] if self._language else [names.language])})
        self._columns = sorted({*self._text_columns, names.image, names.title} & set(schema.names))
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        self._starts = list(accumulate((int(group.num_rows) for group in groups), initial=0))
        self._check_group_sizes(groups)

    def __len__(self) -> int:
        return self._starts[-1]

    def place(self, index: int) -> str:
        """File and row, which counts from 0."""
        return f"{self._name} row {index}"

    def row(self, index: int) -> Row:
        """The row, from its row group.

        Raises:
            UnreadableRow: the file is damaged there.
        """
        place = self.place(index)
        group = bisect_right(self._starts, index) - 1
        try:
            table = self._cache.read(self._path, group, self._columns)
            record = table.slice(index - self._starts[group], 1).to_pylist()[0]
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise UnreadableRow(place, str(error)) from error
        return row_from(record, place, self._language, self._names, self._pictures)

    def scan(self, *, articles: bool) -> Iterator[RowFacts]:
        """Reads the text columns, and of the pictures no more than `_picture_facts` says.

        Raises:
            DataError: the file is damaged.
        """
        try:
            with pq.ParquetFile(self._path) as file:
                for group in range(file.num_row_groups):
                    batches = file.iter_batches(TEXT_BATCH_ROWS, [group], self._text_columns)
                    texts = chain.from_iterable(
                        text_facts(pa.Table.from_batches([batch]), self._language, self._names, articles=articles)
                        for batch in batches
                    )
                    for facts, picture in zip(texts, self._picture_facts(file, group), strict=True):
                        yield with_picture(facts, picture)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self._path, error) from error

    def _picture_facts(self, file: pq.ParquetFile, group: int) -> Iterator[PictureFacts]:
        """Whether the rows of a group have a picture.

        Where the file's statistics say that a group has no null, its pictures are not read: they are nearly all of the
        corpus's bytes. A picture of zero bytes among them is then found when it is decoded. (Statistics also give the
        smallest value, but writers leave it out when values are long, as pictures are.)
        """
        metadata = file.metadata.row_group(group)
        if is_bytes(self._picture_type) or is_picture_struct(self._picture_type):
            leaf = self._names.image + ("" if is_bytes(self._picture_type) else ".bytes")
            if _all_present(metadata, leaf):
                yield from [PictureFacts(True)] * metadata.num_rows
                return
        for batch in file.iter_batches(PICTURE_BATCH_ROWS, [group], [self._names.image]):
            yield from picture_facts(pa.Table.from_batches([batch])[self._names.image], self._pictures)

    def _check_group_sizes(self, groups: Sequence[pq.RowGroupMetaData]) -> None:
        for group in groups:
            leaves = [group.column(number) for number in range(group.num_columns)]
            size = sum(
                leaf.total_uncompressed_size
                for leaf in leaves
                if any(
                    leaf.path_in_schema == name or leaf.path_in_schema.startswith(f"{name}.") for name in self._columns
                )
            )
            if size > MAX_ROW_GROUP_BYTES:
                raise DataError(
                    f"{self._path} has a row group of {size / 2**20:,.0f} MiB, and every row costs reading its group.",
                    "Write it again in groups of about 100 rows: "
                    "pyarrow.parquet.write_table(table, path, row_group_size=100).",
                )


def _all_present(group: pq.RowGroupMetaData, leaf: str) -> bool:
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == leaf:
            statistics = column.statistics
            return bool(
                statistics is not None
                and statistics.has_null_count
                and statistics.null_count == 0
                and not (statistics.has_min_max and len(statistics.min) == 0)
            )
    return False


def _files(place: Path, split: str) -> list[Path]:
    single = place / f"{split}.parquet"
    if single.is_file():
        return [single]
    shards = [path for path in place.glob("*.parquet") if _shard_of(path) == split]
    if shards:
        return sorted(shards)
    return sorted((place / split).glob("*.parquet"))


def _splits(place: Path) -> set[str]:
    files = {_shard_of(path) or path.stem for path in place.glob("*.parquet")}
    return files | {path.parent.name for path in place.glob("*/*.parquet")}


def _shard_of(path: Path) -> str | None:
    match = SHARD.fullmatch(path.stem)
    return match["split"] if match else None


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{path} is not a parquet file that can be read: {reason}.", "Fetch or write the file again.")
