"""Series for pictures, and pictures as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inft_tui.charts.cells import Cell
from inft_tui.charts.series import Series


@dataclass(frozen=True)
class Mark:
    kind: str
    x: float
    text: str = ""


def series_of(ys: Sequence[float], xs: Sequence[float] | None = None, name: str = "loss") -> Series:
    series = Series(name)
    series.extend(list(range(len(ys))) if xs is None else xs, ys)
    return series


def picture(rows: Sequence[Sequence[Cell]]) -> list[str]:
    return ["".join(cell.char for cell in row) for row in rows]


def styles(rows: Sequence[Sequence[Cell]], row: int) -> list[str]:
    return [cell.style for cell in rows[row]]
