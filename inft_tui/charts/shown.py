"""What a figure is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inft_tui.charts.plot import Curve

NOTHING = "no values yet"


class Marked(Protocol):
    """Something that happened at a step."""

    @property
    def kind(self) -> str:
        """One of evaluation, checkpoint, alert, seam, resume; others are not drawn."""

    @property
    def x(self) -> float:
        """The step."""

    @property
    def text(self) -> str:
        """What to say about it."""


@dataclass(frozen=True)
class Shown:
    """What a figure is of.

    Attributes:
        title: of the chart.
        curves: with their names; the first one is what a cursor goes along.
        unit: of the values; "" = none.
        end: the last step there will be; None = not known.
        note: stands at the right of the title, such as the weight of smoothing.
        from_zero: whether an even value axis begins at 0, for what is a part of something.
        nothing: what is said where there are no points yet.
        key_for_all: that shows everything again, as it is printed; "" = none is told.
    """

    title: str
    curves: Sequence[tuple[str, Curve]]
    unit: str = ""
    marks: Sequence[Marked] = ()
    end: float | None = None
    note: str = ""
    from_zero: bool = False
    nothing: str = NOTHING
    key_for_all: str = ""
