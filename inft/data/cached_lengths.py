"""The lengths of a run's rows: from the cache when they were measured before, else measured and put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.lengths import MeasureProgress, measure_rows
from inft.data.munichus import Selection
from inft.data.rows import UnusableRow
from inft.errors import InftError
from inft.forecast.identity import lengths_key
from inft.forecast.row_lengths import RowLengths
from inft.forecast.statistics import Statistics, pictures_unchanged, read_row_lengths, read_statistics, write


@dataclass(frozen=True)
class Lengths:
    """How long the rows of a split are, one by one and summed up."""

    rows: RowLengths
    statistics: Statistics


def find_lengths(
    config: Config,
    root: Path,
    split: str,
    chosen: Selection,
    collator: CaptionCollator,
    *,
    key_before: str | None,
    on_progress: MeasureProgress,
    on_problem: Callable[[InftError], None],
) -> Lengths:
    """The lengths of the chosen rows; measured anew where a picture is another one than before.

    Args:
        config: what the rows were chosen by; `data.num_workers` processes measure.
        root: the project's root.
        split: the rows' split.
        chosen: the rows.
        collator: made for them, as `config` says.
        key_before: `lengths_key` as it was before the rows were chosen; None = what they are was not known then.
        on_progress: told of rows measured; not at all when they are known.
        on_problem: told why the cache could not be written, which is no reason to stop.

    Raises:
        DataError: no row can be used.
        ConfigError: the chat template cannot be trained on.
    """
    key = lengths_key(config, root, split)
    if key_before not in (None, key):
        key = None  # the corpus was changed under the rows: what is measured now belongs to neither
    known = None if key is None else read_statistics(key)
    if known is not None and known.rows == len(chosen) and pictures_unchanged(known):
        rows = read_row_lengths(known)
        if rows is not None:
            return Lengths(rows, known)
    languages = sorted(set(config.data.languages))
    rows = measure_rows(collator, languages, workers=config.data.num_workers, on_progress=on_progress)
    statistics = Statistics.of(
        key or "",
        split,
        languages,
        rows,
        place=lambda number: _place(chosen, number),
        report=chosen.report,
        pictures=chosen.pictures,
    )
    # What changed in between is measured again next time.
    if key is not None and key == lengths_key(config, root, split):
        try:
            write(statistics, rows, chosen.pictures)
        except InftError as error:
            on_problem(error)
    return Lengths(rows, statistics)


def _place(rows: Selection, number: int) -> str:
    """Where a row stands, be it readable or not."""
    try:
        return rows[number].place
    except UnusableRow as error:
        return error.place
