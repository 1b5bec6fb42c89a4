"""A local corpus, as far as a look at its folders and first lines tells; its rows are looked at by a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from inft.config import Config
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import by_language, sole_language
from inft.errors import InftError
from inft.readiness.check import Check, green, red

NAME = "local data"

_LOOKED_AT = 20
"""Lines of a JSONL file, from its beginning; a key may be absent from some."""

_LONGEST_LINE = 1 << 20
"""Bytes; what is longer is left to the run."""

_MOVED = "Correct data.path, or mount its disk."


def judge_corpus(config: Config, folder: Path) -> Check:
    """Whether the splits are there, in each language, with the columns that the profile names."""
    try:
        if not os.path.isdir(folder):
            return red(NAME, f"There is no folder {folder} (data.path).", _MOVED)
        if next(folder.iterdir(), None) is None:
            return red(NAME, f"{folder} (data.path) is empty.", _MOVED)
        data = config.data
        splits = [split for split in (data.split, data.eval_split) if split is not None]
        for split in splits:
            _look(config, folder, split)
    except InftError as error:
        return red(NAME, error.message, error.fix)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return red(NAME, f"{folder} (data.path) cannot be read: {reason}.", "Correct its permissions.")
    told = splits[0] if len(splits) == 1 else f"{splits[0]} and {splits[1]}"
    return green(NAME, f"{folder} holds split {told}.")


def _look(config: Config, folder: Path, split: str) -> None:
    """Finds a split's files, and reads the first lines of those that are text.

    Raises:
        InftError: a file, a language or a column is missing.
        OSError: something cannot be read.
    """
    languages = sorted(set(config.data.languages))

    def find(place: Path) -> list[Path] | None:
        return list(_files(config.data.source, place, split)) or None

    for found in by_language(folder, languages, split, find, lambda place: _splits(config.data.source, place)):
        if config.data.source == "jsonl":
            _check_columns(config, found.data[0], found.language, languages)


def _files(source: str, place: Path, split: str) -> Iterator[Path]:
    """What a folder holds of a split, by the rules of `inft.data.sources`."""
    match source:
        case "jsonl":
            candidates: Iterable[Path] = [place / f"{split}.jsonl"]
        case "parquet":
            shards = place.glob("*.parquet")
            named = (path for path in shards if path.stem == split or path.stem.startswith(f"{split}-"))
            candidates = [*named, *(place / split).glob("*.parquet")]
        case _:
            # A dataset that was saved by itself records its split, which is left to whoever opens it.
            candidates = [place / split / "state.json", place / "state.json"]
    return (path for path in candidates if path.is_file())


def _splits(source: str, place: Path) -> set[str]:
    match source:
        case "jsonl":
            return {path.stem for path in place.glob("*.jsonl")}
        case "parquet":
            shards = {path.stem.partition("-")[0] for path in place.glob("*.parquet")}
            return shards | {path.parent.name for path in place.glob("*/*.parquet")}
        case _:
            return {path.parent.name for path in place.glob("*/state.json")}


def _check_columns(config: Config, path: Path, language: str | None, languages: Sequence[str]) -> None:
    columns: set[str] = set()
    with path.open("rb") as file:
        for line in islice(iter(lambda: file.readline(_LONGEST_LINE), b""), _LOOKED_AT):
            try:
                record = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"), type=dict[str, object])
            except (ValueError, RecursionError):
                continue  # a run counts it
            columns.update(record)
    if columns:
        names = ColumnNames.from_mapping(config.data.columns)
        alone = sole_language(language, languages, names.language in columns)
        names.check(columns, str(path), language_needed=alone is None)
