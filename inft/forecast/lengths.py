"""How long the rows are, summed up: all that the memory forecast needs to know of the data.

Rows of one number of tiles form a class. That is little enough to be read from a cache at every keystroke, and enough
for the heaviest micro-batch: memory grows with its padded length, or with its tokens where rows lie end to end
(`sft.padding_free`), and with its tiles and supervised tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain
from statistics import fmean

from inft.params import FamilyName


@dataclass(frozen=True)
class BatchShape:
    """One micro-batch."""

    rows: int
    tokens: int
    """Of its longest row, the picture's included; every row's where they are padded."""
    tiles: int
    """Tiles of all rows together; on Llama those of the grid, its tower runs four a row in any case."""
    supervised: int
    """Supervised tokens of all rows together, at most."""
    all_tokens: int
    """Of all rows together, without padding, at most."""

    @classmethod
    def of_equal_rows(cls, rows: int, tokens: int, tiles: int, supervised: int) -> BatchShape:
        """A micro-batch whose rows are all as long as the longest."""
        return cls(rows, tokens, tiles, supervised, rows * tokens)

    def covers(self, other: BatchShape) -> bool:
        """Whether this one takes at least as much of everything."""
        return (
            self.rows >= other.rows
            and self.tokens >= other.tokens
            and self.tiles >= other.tiles
            and self.supervised >= other.supervised
            and self.all_tokens >= other.all_tokens
        )


LONG_ROWS = 16
"""Rows of a class whose lengths are kept one by one: as many as a plan's largest micro-batch has."""


@dataclass(frozen=True)
class TileClass:
    """All rows of one number of tiles."""

    tiles: int
    rows: int
    longest: int
    """Tokens of the longest row."""
    most_supervised: int
    """Most supervised tokens of a row."""
    total_tokens: int
    """Tokens of all rows together."""
    also_long: tuple[int, ...] = ()
    """Tokens of the next longest rows, in descending order; all further rows are at most as long as the last."""

    def longest_rows(self, count: int) -> list[int]:
        """Tokens of its `count` longest rows, at most; fewer when there are no more."""
        known = (self.longest, *self.also_long)[:count]
        return [*known, *[known[-1]] * (min(count, self.rows) - len(known))]


@dataclass(frozen=True)
class LengthTable:
    """The rows of a run by their tiles.

    Attributes:
        classes: at least one, ascending in tiles, none without rows.
        measured: from the rows themselves; otherwise assumed.
    """

    classes: tuple[TileClass, ...]
    measured: bool

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> LengthTable:
        """The table of measured rows, each (tokens, tiles, supervised tokens); at least one."""
        lengths: dict[int, list[int]] = {}
        supervised_most: dict[int, int] = {}
        for tokens, tiles, supervised in rows:
            lengths.setdefault(tiles, []).append(tokens)
            supervised_most[tiles] = max(supervised_most.get(tiles, 0), supervised)
        classes = []
        for tiles in sorted(lengths):
            longest, *also_long = nlargest(LONG_ROWS, lengths[tiles])
            classes.append(
                TileClass(
                    tiles=tiles,
                    rows=len(lengths[tiles]),
                    longest=longest,
                    most_supervised=supervised_most[tiles],
                    total_tokens=sum(lengths[tiles]),
                    also_long=tuple(also_long),
                )
            )
        return cls(tuple(classes), measured=True)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(one.rows for one in self.classes)

    @property
    def mean_tokens(self) -> float:
        """Tokens of a row."""
        return sum(one.total_tokens for one in self.classes) / self.rows

    @property
    def mean_tiles(self) -> float:
        """Tiles of a row's picture."""
        return sum(one.tiles * one.rows for one in self.classes) / self.rows

    def heaviest(self, rows: int) -> tuple[BatchShape, ...]:
        """The few shapes of which one covers any micro-batch of at most `rows` different rows.

        The longest row of a micro-batch belongs to some class: the micro-batch is no longer than that class's longest,
        and its other rows have at most the tiles of those of most tiles. Shapes that another one covers are left out.
        """
        rows = min(rows, self.rows)
        supervised = sum(_largest(((one.most_supervised, one.rows) for one in self.classes), rows))
        all_tokens = sum(nlargest(rows, chain.from_iterable(one.longest_rows(rows) for one in self.classes)))
        shapes = []
        for longest in self.classes:
            others = ((one.tiles, one.rows - 1 if one is longest else one.rows) for one in self.classes)
            tiles = longest.tiles + sum(_largest(others, rows - 1))
            shapes.append(BatchShape(rows, longest.longest, tiles, supervised, min(all_tokens, rows * longest.longest)))
        return tuple(
            shape
            for number, shape in enumerate(shapes)
            # Of two equal ones the first stays.
            if not any(
                other.covers(shape) and (other != shape or before < number)
                for before, other in enumerate(shapes)
                if before != number
            )
        )


def _largest(counted: Iterable[tuple[int, int]], count: int) -> list[int]:
    """The `count` largest of values that each occur so many times."""
    taken: list[int] = []
    for value, times in sorted(counted, reverse=True):
        taken += [value] * min(times, count - len(taken))
    return taken


# Shares of rows and the tokens that the first 1,200 characters of an article take: English, Hindi, French, Arabic,
# Japanese, Chinese and Cantonese, Urdu, Sinhala.
_ARTICLES = ((0.55, 330), (0.08, 420), (0.07, 320), (0.08, 380), (0.06, 750), (0.08, 850), (0.05, 500), (0.03, 1500))
_SPREAD = 0.15  # an article takes up to so much more or less than its language's mean, every length as likely
_AROUND = 110  # tokens of instruction, title and template
_CAPTION = (15, 40)  # shortest and longest, in tokens
_AYA_TILES = ((3, 0.10), (7, 0.05), (9, 0.70), (13, 0.15))
_LLAMA_TILES = ((1, 0.1), (2, 0.6), (4, 0.3))
_ROWS = 10_000  # stands for "many": shares of it are whole numbers, and no micro-batch is larger than its classes


def assumed_lengths(family: FamilyName, max_length: int) -> LengthTable:
    """The lengths of news photos and articles like MUNIChus's, for a forecast before anything is measured.

    Where the numbers come from: rows per language and lengths of articles and captions as MUNIChus's paper gives them
    (arXiv 2603.10613), each article cut to the guide's 1,200 characters and turned into tokens at its script's usual
    rate, +-15 %; 110 tokens of instruction, title and template around; captions of 15 to 40 tokens, all supervised.
    Photos are mostly 16:9 (976 x 549): 9 tiles on Aya (10 % have 3, 5 % have 7, 15 % have 13), 2 on Llama (10 % have
    1, 30 % have 4). On Aya a picture of n tiles takes 169 n + 5 n + 2 tokens of the row (each tile's and its mark's,
    begin and end); on Llama its one token is among those around. Text and tiles are independent of each other.

    Args:
        family: whose tiles and picture tokens.
        max_length: tokens that longer rows are shortened to; where not even the picture, the text around and a
            caption fit, rows are left out, but those of fewest tiles.
    """
    shortest, longest = _CAPTION
    classes = []
    for number, (tiles, share) in enumerate(_tile_shares(family)):
        fixed = _without_article(family, tiles)
        if number and fixed + shortest > max_length:
            break
        rows = round(share * _ROWS)
        most = max(tokens for _, tokens in _ARTICLES)
        mean = sum(
            part * fmean(min(max_length, fixed + (shortest + longest) / 2 + tokens * scale) for scale in _scales())
            for part, tokens in _ARTICLES
        )
        classes.append(
            TileClass(
                tiles=tiles,
                rows=rows,
                longest=min(max_length, fixed + longest + round(most * (1 + _SPREAD))),
                most_supervised=min(max_length, longest),
                total_tokens=round(mean * rows),
            )
        )
    return LengthTable(tuple(classes), measured=False)


def assumed_skipped_percent(family: FamilyName, max_length: int) -> float:
    """Percent of the rows of `assumed_lengths` that do not fit even without their article, 0 to 100.

    A run would skip them: picture, text around and caption are never shortened. Captions of every length between the
    shortest and the longest are taken as equally likely.
    """
    shortest, longest = _CAPTION
    captions = range(shortest, longest + 1)
    skipped = 0.0
    for tiles, share in _tile_shares(family):
        fixed = _without_article(family, tiles)
        skipped += share * sum(fixed + caption > max_length for caption in captions) / len(captions)
    return 100 * skipped


def _tile_shares(family: FamilyName) -> tuple[tuple[int, float], ...]:
    """(tiles, share of the rows), ascending in tiles."""
    return _AYA_TILES if family == "aya" else _LLAMA_TILES


def _without_article(family: FamilyName, tiles: int) -> int:
    """Tokens of a row that has neither article nor caption."""
    return _AROUND + (174 * tiles + 2 if family == "aya" else 0)


def _scales() -> list[float]:
    """Evenly spread factors of an article's length."""
    steps = 10
    return [1 - _SPREAD + 2 * _SPREAD * step / steps for step in range(steps + 1)]
