"""Folders that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote, memory-mapped where they lie."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from datasets import Dataset

from inft.data.sources.arrow_dataset import DatasetPart
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder, by_language
from inft.data.sources.parts import PartedCorpus
from inft.errors import DataError

STATE_FILE = "state.json"
"""Every saved `Dataset` has one; a `DatasetDict` is a folder of them, one per split."""

UNNAMED_SPLIT = "train"
"""What a `Dataset` that was saved by itself counts as when it does not record a split."""


def open_saved(folder: Path, languages: Sequence[str], split: str, names: ColumnNames) -> PartedCorpus:
    """A `DatasetDict` or `Dataset` per language in `<folder>/<language>`, or one in `folder` with a language column.

    A lone `Dataset` serves the split that it records, or "train" when it records none.

    Raises:
        DataError: a folder, split or column is missing, or a dataset is damaged.
    """

    def find(place: Path) -> Path | None:
        if (place / split / STATE_FILE).is_file():
            return place / split
        return place if _lone_split(place) == split else None

    parts = []
    for found in by_language(folder, languages, split, find, _splits):
        name = f"{folder.name}/{found.data.relative_to(folder).as_posix()}".removesuffix("/.")
        parts.append(
            DatasetPart(_load(found.data), name, found.language, languages, names, PictureFolder(folder, found.data))
        )
    return PartedCorpus(parts)


def _load(path: Path) -> Dataset:
    try:
        return Dataset.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError(f"The saved dataset {path} cannot be read: {error}.", "Save it again.") from error


def _splits(place: Path) -> set[str]:
    lone = _lone_split(place)
    return {path.parent.name for path in place.glob(f"*/{STATE_FILE}")} | ({lone} if lone else set())


def _lone_split(place: Path) -> str | None:
    """The split of a `Dataset` saved by itself; None when there is none."""
    path = place / STATE_FILE
    if not path.is_file():
        return None
    try:
        recorded = json.loads(path.read_bytes()).get("_split")
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}.", "Save the dataset again.") from error
    match = re.match(r"\w+", recorded or UNNAMED_SPLIT)  # a slice is recorded as train[:100]
    return match[0] if match else UNNAMED_SPLIT
