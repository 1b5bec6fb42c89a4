"""The lengths of a run's rows: from the cache when they were measured before, else measured and put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.lengths import MeasureProgress, measure_rows
from inft.errors import InftError
from inft.forecast.identity import lengths_key
from inft.forecast.row_lengths import RowLengths
from inft.forecast.statistics import Statistics, read_row_lengths, read_statistics, write


@dataclass(frozen=True)
class Lengths:
    """How long the rows of a split are, one by one and summed up."""

    rows: RowLengths
    statistics: Statistics


def find_lengths(
    config: Config,
    root: Path,
    split: str,
    collator: CaptionCollator,
    *,
    on_progress: MeasureProgress,
    on_problem: Callable[[InftError], None],
) -> Lengths:
    """The lengths of the collator's rows.

    Args:
        config: what the rows were chosen by; `data.num_workers` processes measure.
        root: the project's root.
        split: the rows' split.
        collator: made for these rows, as `config` says.
        on_progress: told of rows measured; not at all when they are known.
        on_problem: told why the cache could not be written, which is no reason to stop.

    Raises:
        DataError: no row can be used.
        ConfigError: the chat template cannot be trained on.
    """
    key = lengths_key(config, root, split)
    known = None if key is None else read_statistics(key)
    if known is not None and known.rows == len(collator.corpus):
        rows = read_row_lengths(known)
        if rows is not None:
            return Lengths(rows, known)
    languages = sorted(set(config.data.languages))
    rows = measure_rows(collator, languages, workers=config.data.num_workers, on_progress=on_progress)
    statistics = Statistics.of(key or "", split, languages, rows)
    # What changed in between is measured again next time.
    if key is not None and key == lengths_key(config, root, split):
        try:
            write(statistics, rows)
        except InftError as error:
            on_problem(error)
    return Lengths(rows, statistics)
