"""Counts as bars, in characters: what a histogram looks like, without knowing what it is of."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

NICE = (10, 20, 25, 50)
"""Times a power of ten: widths of bins that people can read; so are 1, 2 and 5."""


@dataclass(frozen=True)
class Glyphs:
    """Characters to draw with, each from least to most; the last is a whole cell."""

    across: str
    upwards: str
    rule: str


BLOCKS = Glyphs(across="▏▎▍▌▋▊▉█", upwards="▁▂▃▄▅▆▇█", rule="─")
ASCII = Glyphs(across="#", upwards=".:-=+*%#", rule="-")


def glyphs_of_stdout() -> Glyphs:
    """Those that stdout's encoding has."""
    try:
        "".join((BLOCKS.across, BLOCKS.upwards, BLOCKS.rule)).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


@dataclass(frozen=True)
class Bin:
    """Rows whose value lies in `low`..`high`, both included."""

    low: int
    high: int
    rows: int

    @property
    def label(self) -> str:
        """Its values."""
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,}-{self.high:,}"


def bins(counts: Mapping[int, int], most: int) -> list[Bin]:
    """At most `most` bins of one width, a round number, without a gap; empty neighbours are one, and none goes beyond.

    >>> [(one.label, one.rows) for one in bins({1: 2, 2: 1, 13: 4}, 3)]
    [('0-4', 3), ('5-9', 0), ('10-13', 4)]
    >>> [(one.label, one.rows) for one in bins({1: 2, 9: 1}, 9)]
    [('1', 2), ('2-8', 0), ('9', 1)]
    """
    if not counts:
        return []
    lowest, highest = min(counts), max(counts)
    width = next(width for width in _widths() if highest // width - lowest // width < most)
    rows = [0] * (highest // width - lowest // width + 1)
    for value, count in counts.items():
        rows[value // width - lowest // width] += count
    start = lowest // width * width
    found: list[Bin] = []
    for place, count in enumerate(rows):
        one = Bin(start + place * width, min(start + (place + 1) * width - 1, highest), count)
        if found and not one.rows and not found[-1].rows:
            one = Bin(found.pop().low, one.high, 0)
        found.append(one)
    return found


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """A bar of `share` of `width` cells; the least that is not nothing is still seen.

    >>> bar(0.5, 4, BLOCKS), bar(0.3, 4, BLOCKS), bar(0.0001, 4, BLOCKS), bar(0, 4, BLOCKS), bar(0.5, 4, ASCII)
    ('██', '█▎', '▏', '', '##')
    """
    if share <= 0:
        return ""
    parts = len(glyphs.across)
    whole, rest = divmod(max(1, round(min(share, 1) * width * parts)), parts)
    return glyphs.across[-1] * whole + (glyphs.across[rest - 1] if rest else "")


def column_chart(counts: Mapping[int, int], low: int, high: int, width: int, glyphs: Glyphs) -> str:
    """One line of columns over the values from `low` to `high`, the fullest as high as a cell.

    >>> column_chart({0: 1, 1: 2, 7: 4}, 0, 7, 4, BLOCKS)
    '▆  █'
    """
    span = high - low + 1
    width = min(width, span)
    rows = [0] * width
    for value, count in counts.items():
        rows[(value - low) * width // span] += count
    fullest = max(rows)
    steps = len(glyphs.upwards)
    # Rounded up: a single row among thousands is what one looks for.
    return "".join(glyphs.upwards[-(-count * steps // fullest) - 1] if count else " " for count in rows)


def quantile(counts: Mapping[int, int], share: float) -> int:
    """The least value that at least `share` of the rows do not exceed; 0 < share <= 1, at least one row.

    >>> quantile({10: 1, 20: 2, 30: 1}, 0.5), quantile({10: 1, 20: 2, 30: 1}, 1)
    (20, 30)
    """
    values = sorted(counts)
    wanted = share * sum(counts.values())
    sums = accumulate(counts[value] for value in values)
    # Sums of whole numbers against a product: a hair too much must not cost a whole row.
    return next(value for value, rows in zip(values, sums, strict=True) if rows >= wanted - 1e-9)


def mean(counts: Mapping[int, int]) -> float:
    """The mean value; at least one row.

    >>> mean({10: 1, 20: 3})
    17.5
    """
    return sum(value * rows for value, rows in counts.items()) / sum(counts.values())


def chart(parts: Sequence[Bin], width: int, glyphs: Glyphs) -> list[tuple[str, str, str]]:
    """(label, figures, bar) of each bin, labels and figures right-aligned; a bar takes what `width` leaves."""
    total = sum(part.rows for part in parts)
    labels = [part.label for part in parts]
    figures = [f"{part.rows:,} {100 * part.rows / total:5.1f} %" for part in parts]
    label_width, figure_width = max(map(len, labels)), max(map(len, figures))
    room = max(4, width - label_width - figure_width - 4)
    fullest = max(part.rows for part in parts)
    return [
        (label.rjust(label_width), figure.rjust(figure_width), bar(part.rows / fullest, room, glyphs))
        for label, figure, part in zip(labels, figures, parts, strict=True)
    ]


def _widths() -> Iterator[int]:
    yield from (1, 2, 5)
    power = 1
    while True:
        for nice in NICE:
            yield nice * power
        power *= 10
