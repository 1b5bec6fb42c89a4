"""The lengths of a split's rows in the cache: a summary that is read in milliseconds, and the rows beside it.

`<cache>/lengths/<key>.json` is the summary, `<key>.rows` the lengths of every single row, `<key>.pictures` where their
pictures are, if these are files; the key says what they were measured from (`inft.forecast.identity`). Each is written
in one step, the summary last. What is damaged or half there counts as absent.
"""

from __future__ import annotations

import time
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inft.config import Config
from inft.data.skips import MAX_EXAMPLES, SkippedRows, SkipReport
from inft.errors import InftError, disk_error
from inft.forecast.identity import lengths_key
from inft.forecast.lengths import LengthTable
from inft.forecast.pictures import PictureFiles
from inft.forecast.row_lengths import CAUSES, UNKNOWN, RowLengths
from inft.project import cache_dir
from inft.runs.files import replace_file

FORMAT = 2
KEPT = 40
"""Measurements that stay in the cache; the oldest go. One of a million rows takes about 5 MB."""


@dataclass(frozen=True)
class LanguageStatistics:
    """One language's rows.

    Attributes:
        tokens: how many rows have so many tokens, the picture's included; likewise the next two. Usable rows only.
        tiles: of the picture.
        supervised: tokens.
        cut_rows: usable rows whose article was shortened.
        cut_chars: characters that these lost.
        unusable: rows that cannot be used, by cause.
    """

    tokens: dict[int, int]
    tiles: dict[int, int]
    supervised: dict[int, int]
    cut_rows: int
    cut_chars: int
    unusable: dict[str, int]

    @property
    def rows(self) -> int:
        """Those that can be used."""
        return sum(self.tokens.values())

    @classmethod
    def sum(cls, parts: Iterable[LanguageStatistics]) -> LanguageStatistics:
        """Of several languages together."""
        tokens: Counter[int] = Counter()
        tiles: Counter[int] = Counter()
        supervised: Counter[int] = Counter()
        unusable: Counter[str] = Counter()
        cut_rows = cut_chars = 0
        for part in parts:
            tokens.update(part.tokens)
            tiles.update(part.tiles)
            supervised.update(part.supervised)
            unusable.update(part.unusable)
            cut_rows += part.cut_rows
            cut_chars += part.cut_chars
        return cls(dict(tokens), dict(tiles), dict(supervised), cut_rows, cut_chars, dict(unusable))


@dataclass(frozen=True)
class Pictures:
    """What tells whether the pictures are those that were measured; see `PictureFiles`.

    Attributes:
        files: how many there are.
        stamp: of them all.
        checksum: of the file of their paths.
    """

    files: int
    stamp: str
    checksum: int


@dataclass(frozen=True)
class Choosing:
    """How the rows were chosen.

    Attributes:
        seen: rows of the configured languages.
        skipped: those that are none of the run's, beside what `data.max_rows_per_lang` left out.
        unlisted: rows of other languages.
    """

    seen: int
    skipped: tuple[SkippedRows, ...]
    unlisted: dict[str, int]


@dataclass(frozen=True)
class Statistics:
    """The lengths of a split's rows, summed up.

    Attributes:
        format: of the file, `FORMAT`.
        key: what they were measured from.
        split: its name.
        rows: all of them, those that cannot be used included.
        checksum: of the file of single rows.
        table: for the memory forecast; a row that cannot be used counts as the one that takes its place in a batch.
        languages: by code; "unknown" = rows too broken to name theirs.
        unusable: rows that cannot be used, by cause, the most frequent first.
        needed: tokens that the longest of the rows that are too long takes without its article; 0 = there are none.
        choosing: what was left out before.
        pictures: the files that were measured.
        measured_at: when, in seconds since 1970.
    """

    format: int
    key: str
    split: str
    rows: int
    checksum: int
    table: LengthTable
    languages: dict[str, LanguageStatistics]
    unusable: tuple[SkippedRows, ...]
    needed: int
    choosing: Choosing
    pictures: Pictures
    measured_at: float

    @classmethod
    def of(
        cls,
        key: str,
        split: str,
        languages: Sequence[str],
        lengths: RowLengths,
        *,
        place: Callable[[int], str] = "row {}".format,
        report: SkipReport | None = None,
        pictures: PictureFiles | None = None,
    ) -> Statistics:
        """Sums up what was measured.

        Args:
            key: what it was measured from.
            split: name of the split.
            languages: what `lengths.language` counts through.
            lengths: at least one of the rows can be used.
            place: where a row stands, by its number.
            report: how they were chosen; None = all there are.
            pictures: their files; None = they stand in the rows.
        """
        report = report or SkipReport(len(lengths), len(lengths), {}, {})
        pictures = pictures or PictureFiles.none()
        return cls(
            format=FORMAT,
            key=key,
            split=split,
            rows=len(lengths),
            checksum=zlib.crc32(_packed(lengths)),
            table=LengthTable.of(lengths.as_trained()),
            languages=_by_language(languages, lengths),
            unusable=_unusable(languages, lengths, place),
            needed=longest_needed(lengths),
            choosing=Choosing(report.seen, report.causes, dict(report.unlisted)),
            pictures=Pictures(pictures.files, pictures.stamp, zlib.crc32(pictures.packed)),
            measured_at=time.time(),
        )

    @property
    def skips(self) -> SkipReport:
        """What of the rows cannot be used, and why."""
        return SkipReport.of(self.rows, self.unusable, needed=self.needed)

    @property
    def overall(self) -> LanguageStatistics:
        """Of all languages together."""
        return LanguageStatistics.sum(self.languages.values())


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(Statistics)


def check_usable(statistics: Statistics) -> None:
    """Refuses rows of which too many cannot be used.

    Raises:
        DataError: as a run fails of them.
    """
    report = statistics.skips
    if report.too_many():
        raise report.error(f"of split '{statistics.split}'")


def longest_needed(lengths: RowLengths) -> int:
    """Tokens that the longest of the rows that are too long takes without its article; 0 = there are none."""
    return max((lengths.tokens[row] for row, cause in lengths.unusable() if cause == "too_long"), default=0)


def cached_statistics(config: Config, root: Path, split: str | None = None) -> Statistics | None:
    """What is known of the rows that a run would train on; None when nothing is.

    Whether their pictures are still the same is not looked at; `pictures_unchanged` does, at some cost.

    Args:
        config: the run's.
        root: the project's root.
        split: another split than the one trained on.
    """
    key = lengths_key(config, root, split or config.data.split)
    return None if key is None else read_statistics(key)


def read_statistics(key: str) -> Statistics | None:
    """The summary of that key, if it is there and whole."""
    try:
        stored = _DECODER.decode(_summary(key).read_bytes())
    except (OSError, InftError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return stored if stored.format == FORMAT and stored.key == key and stored.table.classes else None


def read_row_lengths(statistics: Statistics) -> RowLengths | None:
    """The rows behind a summary, if they are there and whole."""
    try:
        packed = _rows(statistics.key).read_bytes()
    except (OSError, InftError):
        return None
    if zlib.crc32(packed) != statistics.checksum:
        return None
    return _unpacked(packed, statistics.rows)


def pictures_unchanged(statistics: Statistics) -> bool:
    """Whether every picture that was measured is the file that it was, and none that was missing has come.

    Takes a quarter of a second for 100,000 files on a local disk.
    """
    known = statistics.pictures
    if not known.files:
        return True
    try:
        packed = _pictures(statistics.key).read_bytes()
    except (OSError, InftError):
        return False
    return zlib.crc32(packed) == known.checksum and PictureFiles(known.files, known.stamp, packed).unchanged()


def write(statistics: Statistics, lengths: RowLengths, pictures: PictureFiles | None = None) -> None:
    """Puts what was measured into the cache; the arguments are those that `Statistics.of` was given.

    Raises:
        ConfigError: there is no cache folder.
        DiskError: it cannot be written.
    """
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    replace_file(_rows(statistics.key), _packed(lengths), durable=False)
    if pictures is not None and pictures.files:
        replace_file(_pictures(statistics.key), pictures.packed, durable=False)
    replace_file(_summary(statistics.key), msgspec.json.encode(statistics), durable=False)
    _drop_oldest(folder)


def _by_language(languages: Sequence[str], lengths: RowLengths) -> dict[str, LanguageStatistics]:
    found = {}
    codes = array("B", lengths.language)
    for code in sorted(set(codes)):
        numbers = [number for number, one in enumerate(codes) if one == code]
        usable = [number for number in numbers if lengths.cause[number] == 0]
        cuts = [lengths.cut[number] for number in usable if lengths.cut[number]]
        found["unknown" if code == UNKNOWN else languages[code]] = LanguageStatistics(
            tokens=dict(Counter(lengths.tokens[number] for number in usable)),
            tiles=dict(Counter(lengths.tiles[number] for number in usable)),
            supervised=dict(Counter(lengths.supervised[number] for number in usable)),
            cut_rows=len(cuts),
            cut_chars=sum(cuts),
            unusable=dict(Counter(CAUSES[lengths.cause[number]] for number in numbers if lengths.cause[number])),
        )
    return found


def _unusable(languages: Sequence[str], lengths: RowLengths, place: Callable[[int], str]) -> tuple[SkippedRows, ...]:
    counted: Counter[tuple[str, str]] = Counter()
    examples: dict[str, list[str]] = {}
    for row, cause in lengths.unusable():
        code = lengths.language[row]
        counted[cause, "unknown" if code == UNKNOWN else languages[code]] += 1
        places = examples.setdefault(cause, [])
        if len(places) < MAX_EXAMPLES:
            places.append(place(row))
    return SkipReport(len(lengths), 0, counted, {cause: tuple(places) for cause, places in examples.items()}).causes


def _packed(lengths: RowLengths) -> bytes:
    return zlib.compress(b"".join(_portable(column).tobytes() for column in lengths.columns), 1)


def _portable(column: array[int]) -> array[int]:
    """The same in the byte order of nearly every machine."""
    import sys

    if sys.byteorder == "little":
        return column
    swapped = array(column.typecode, column)
    swapped.byteswap()
    return swapped


def _unpacked(packed: bytes, rows: int) -> RowLengths | None:
    try:
        plain = zlib.decompress(packed)
    except zlib.error:
        return None
    lengths = RowLengths()
    if len(plain) != rows * sum(column.itemsize for column in lengths.columns):
        return None
    start = 0
    for column in lengths.columns:
        end = start + rows * column.itemsize
        column.frombytes(plain[start:end])
        column[:] = _portable(column)
        start = end
    return lengths


def _drop_oldest(folder: Path) -> None:
    with suppress(OSError):  # another process drops them, too
        summaries = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in summaries[KEPT:]:
            path.unlink(missing_ok=True)
            path.with_suffix(".rows").unlink(missing_ok=True)
            path.with_suffix(".pictures").unlink(missing_ok=True)


def _folder() -> Path:
    return cache_dir() / "lengths"


def _summary(key: str) -> Path:
    return _folder() / f"{key}.json"


def _rows(key: str) -> Path:
    return _folder() / f"{key}.rows"


def _pictures(key: str) -> Path:
    return _folder() / f"{key}.pictures"
