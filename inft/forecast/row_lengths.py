"""How long every single row is: what the order of training and the statistics are made from."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

CAUSES = ("", "too_long", "undecodable_image", "unreadable_row", "unusable_row")
"""Why a row cannot be used, as `inft.data.rows.UnusableRow.cause` says; the first stands for rows that can."""

UNKNOWN = 255
"""Stands for the language of a row that is too broken to name one."""


def _numbers() -> array[int]:
    return array("I")


def _codes() -> array[int]:
    return array("B")


@dataclass(frozen=True)
class RowLengths:
    """What the rows of a selection take, in its order; a row that cannot be used takes nothing.

    Attributes:
        tokens: the picture's included; of a row that is too long, those that it would take without its article.
        tiles: of the picture.
        supervised: tokens.
        cut: characters of the article that the model is not shown.
        language: number in the selection's languages, or `UNKNOWN`.
        cause: number in `CAUSES`.
    """

    tokens: array[int] = field(default_factory=_numbers)
    tiles: array[int] = field(default_factory=_numbers)
    supervised: array[int] = field(default_factory=_numbers)
    cut: array[int] = field(default_factory=_numbers)
    language: array[int] = field(default_factory=_codes)
    cause: array[int] = field(default_factory=_codes)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def columns(self) -> tuple[array[int], ...]:
        """All of them, in the order above."""
        return self.tokens, self.tiles, self.supervised, self.cut, self.language, self.cause

    def add(self, *, tokens: int, tiles: int, supervised: int, cut: int, language: int) -> None:
        """One more row that can be used."""
        for column, value in zip(self.columns, (tokens, tiles, supervised, cut, language, 0), strict=True):
            column.append(value)

    def add_unusable(self, cause: str, language: int, tokens: int = 0) -> None:
        """One more row that cannot; `tokens` as above."""
        code = CAUSES.index(cause if cause in CAUSES else "unusable_row")
        for column, value in zip(self.columns, (tokens, 0, 0, 0, language, code), strict=True):
            column.append(value)

    def extend(self, other: RowLengths) -> None:
        """Further rows."""
        for column, more in zip(self.columns, other.columns, strict=True):
            column.extend(more)

    def unusable(self) -> Iterator[tuple[int, str]]:
        """(number, cause) of the rows that cannot be used."""
        return ((row, CAUSES[cause]) for row, cause in enumerate(self.cause) if cause)

    def usable(self) -> Iterator[int]:
        """Numbers of the rows that can be used."""
        return (row for row, cause in enumerate(self.cause) if cause == 0)

    def stand_ins(self) -> list[int]:
        """For each row the one whose content a batch holds in its place: itself, or the next that can be used.

        Empty when none can be used.
        """
        places: list[int] = [0] * len(self)
        following = next(self.usable(), None)
        if following is None:
            return []
        for row in reversed(range(len(self))):
            if self.cause[row] == 0:
                following = row
            places[row] = following
        return places

    def as_trained(self) -> Iterator[tuple[int, int, int]]:
        """(tokens, tiles, supervised tokens) of what a batch holds for each row."""
        return ((self.tokens[row], self.tiles[row], self.supervised[row]) for row in self.stand_ins())
