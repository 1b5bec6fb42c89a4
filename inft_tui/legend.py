"""What the marks of a screen mean, with the very characters that this terminal is shown."""

from __future__ import annotations

from collections.abc import Sequence

from inft_tui.charts.glyphs import Glyphs
from inft_tui.key_table import Place

_WITH_CHARTS: frozenset[Place] = frozenset({"monitor", "chart", "compare"})
_WITH_PARAMETERS: frozenset[Place] = frozenset({"launch", "parameters"})


def legend(place: Place, glyphs: Glyphs) -> Sequence[tuple[str, str]]:
    """The marks of one screen, and what each means; none where it has no marks that need a word.

    Args:
        place: the screen.
        glyphs: what its charts are drawn with.
    """
    if place in _WITH_CHARTS:
        return _of_charts(glyphs)
    if place in _WITH_PARAMETERS:
        from inft_tui.launch.rows import CHANGED, STATED

        return ((CHANGED, "Changed here"), (STATED, "Not the default: the profile says so"))
    return ()


def _of_charts(glyphs: Glyphs) -> Sequence[tuple[str, str]]:
    """Those below the curves, then those among them."""
    of = glyphs.value
    return (
        (of.marks["checkpoint"], "Below a curve: a checkpoint"),
        (of.marks["evaluation"], "An evaluation"),
        (of.marks["alert"], "An alert"),
        (of.marks["gap"], "A value that is not finite"),
        (of.marks["seam"], "Resumed here"),
        (of.point[0], "A value of a curve that has few, as eval loss"),
        (f"{of.above} {of.below}", "Values outside the range that is shown"),
    )
