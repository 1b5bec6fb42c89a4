"""Which runs are compared where nobody, or not everybody, was marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inft_tui.comparison.marks import MOST
from inft_tui.listing import Seen


def runs_to_compare(marked: Sequence[Path], chosen: Path | None, runs: Sequence[Seen]) -> list[Path]:
    """Those that are marked; with fewer than two the chosen one, and the newest other one that has a curve.

    Args:
        marked: in the order in which they were marked; those that were deleted since are passed over.
        chosen: the run that was looked at last; None = none.
        runs: all there are, the newest first.
    """
    listed = {seen.run.path for seen in runs}
    found = [path for path in dict.fromkeys(marked) if path in listed or path.exists()][:MOST]
    if len(found) >= 2:
        return found
    curved = [seen.run.path for seen in runs if seen.curve]
    others = [seen.run.path for seen in runs if not seen.curve]
    wanted = [*found, *([] if chosen is None else [chosen]), *curved, *others]
    return list(dict.fromkeys(wanted))[:2]
