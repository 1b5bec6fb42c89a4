"""Rows that stand in Arrow tables: what parquet files and datasets have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from inft.data.rows import ImageRef, Row, RowFacts, UnreadableRow, article_key, has_text
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder
from inft.errors import DataError


def check_types(schema: pa.Schema, names: ColumnNames, where: str) -> None:
    """Refuses columns that hold something else than text and pictures; absent ones pass.

    Raises:
        DataError: naming the column and what it holds.
    """
    for column in (names.title, names.content, names.caption, names.language):
        if column in schema.names and not _is_text(schema.field(column).type):
            raise _wrong_type(where, column, schema.field(column).type, "text")
    if names.image in schema.names:
        kind = schema.field(names.image).type
        if not (is_picture_struct(kind) or is_bytes(kind) or _is_text(kind)):
            raise _wrong_type(
                where, names.image, kind, "pictures (an Image column, encoded bytes, or paths to picture files)"
            )


def is_picture_struct(kind: pa.DataType) -> bool:
    """Whether pictures are stored as datasets does it: a struct of bytes and path."""
    return bool(pa.types.is_struct(kind)) and any(field.name in ("bytes", "path") for field in kind)


def is_bytes(kind: pa.DataType) -> bool:
    """Whether pictures are stored as plain bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def row_from(
    record: Mapping[str, Any], place: str, language: str | None, names: ColumnNames, pictures: PictureFolder
) -> Row:
    """The row that a record of Python values describes.

    Args:
        record: the columns there are.
        place: where it stands.
        language: None when the record names it.
        names: the columns.
        pictures: what picture paths are relative to.

    Raises:
        UnreadableRow: it names no language, or a picture outside the corpus.
    """
    language = language or record.get(names.language)
    if not language:
        raise UnreadableRow(place, "no language")
    try:
        source = _picture(record[names.image], pictures)
    except ValueError as error:
        raise UnreadableRow(place, str(error)) from None
    return Row(
        language=language,
        title=record.get(names.title) or "",
        content=record[names.content] or "",
        caption=record[names.caption] or "",
        image=ImageRef(source, place),
        place=place,
    )


def text_facts(table: pa.Table, language: str | None, names: ColumnNames, *, articles: bool) -> Iterator[RowFacts]:
    """Facts from the text columns of a table, on request with the article's key; `has_image` is left True."""
    captions = _text_flags(table[names.caption])
    contents = _text_flags(table[names.content])
    languages = [language] * len(table) if language else _texts(table[names.language])
    keys = map(article_key, _texts(table[names.content])) if articles else repeat(0, len(table))
    for caption, content, of_row, article in zip(captions, contents, languages, keys, strict=True):
        if caption is None or content is None:
            yield RowFacts(of_row, False, False, False, "text is not UTF-8")
        elif not of_row:
            yield RowFacts(None, False, False, False, "no language")
        else:
            yield RowFacts(of_row, caption, content, True, article=article)


class PictureFacts(NamedTuple):
    """What is known of a row's picture without looking at it; as in `RowFacts`."""

    has_image: bool
    problem: str = ""
    picture: str = ""


def picture_facts(column: pa.ChunkedArray, pictures: PictureFolder) -> Iterator[PictureFacts]:
    """Whether each row has a picture, which file it is in, and what is wrong with its path if anything.

    Lengths and null flags tell; no byte of a picture is looked at.
    """
    kind = column.type
    lengths: list[int | None] = [None] * len(column)
    paths: list[str | None] = [None] * len(column)
    if is_picture_struct(kind):
        present = {field.name for field in kind}
        if "bytes" in present:
            lengths = _lengths(pc.struct_field(column, "bytes"))
        if "path" in present:
            paths = _texts(pc.struct_field(column, "path"))
    elif is_bytes(kind):
        lengths = _lengths(column)
    else:
        paths = _texts(column)
    for length, path in zip(lengths, paths, strict=True):
        if length or not path:
            yield PictureFacts(bool(length))
            continue
        try:
            file, there = pictures.look(path)
        except ValueError as error:
            yield PictureFacts(False, str(error))
        else:
            yield PictureFacts(there, picture=file)


def with_picture(facts: RowFacts, picture: PictureFacts) -> RowFacts:
    """The facts of a row, completed by what is known of its picture."""
    return facts._replace(
        has_image=picture.has_image, problem=facts.problem or picture.problem, picture=picture.picture
    )


def _picture(value: object, pictures: PictureFolder) -> bytes | Path:
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str) and value:
        return pictures.resolve(value)
    return value if isinstance(value, bytes) else b""


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _wrong_type(where: str, column: str, kind: pa.DataType, wanted: str) -> DataError:
    return DataError(f"{where}: column {column} holds {kind}, not {wanted}.", "Map the right column with data.columns.")


def _lengths(column: pa.ChunkedArray) -> list[int | None]:
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    lengths: list[int | None] = pc.binary_length(column).to_pylist()
    return lengths


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """The texts; None where there is none, or bytes that are not UTF-8."""
    try:
        texts: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:
        return [_text(scalar) for scalar in column]
    return texts


def _text(scalar: pa.Scalar) -> str | None:
    try:
        text: str | None = scalar.as_py()
    except UnicodeDecodeError:
        return None
    return text


def _text_flags(column: pa.ChunkedArray) -> list[bool | None]:
    """Whether there is text; None where the bytes are not UTF-8."""
    try:
        return [has_text(text) for text in column.to_pylist()]
    except UnicodeDecodeError:
        return [_text_flag(scalar) for scalar in column]


def _text_flag(scalar: pa.Scalar) -> bool | None:
    try:
        return has_text(scalar.as_py())
    except UnicodeDecodeError:
        return None
