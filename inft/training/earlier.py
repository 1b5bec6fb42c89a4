"""Checkpoints of other runs in the same folder: moved aside, never overwritten or rotated away."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime
from itertools import count
from pathlib import Path

from inft.errors import disk_error
from inft.runs.checkpoints import read_complete


def set_checkpoints_aside(
    output_dir: Path, at: datetime, *, lineage: Collection[str] = (), up_to_step: int = 0
) -> Path | None:
    """Moves checkpoints into a subfolder, where this run's rotation does not look for old ones.

    Args:
        output_dir: the folder of checkpoints.
        at: the moment that names the subfolder.
        lineage: ids of the runs that this one continues; their complete checkpoints stay.
        up_to_step: the last optimiser step of which they do, since this run will write its own of those after it.

    Returns:
        The subfolder; None if there was nothing to move.

    Raises:
        DiskError: one could not be moved.
    """
    moving = [path for path in sorted(output_dir.glob("checkpoint-*")) if not _stays(path, lineage, up_to_step)]
    if not moving:
        return None
    aside = unused(output_dir / f"earlier-{at:%Y%m%d-%H%M%S}")
    try:
        aside.mkdir()
        for path in moving:
            path.rename(aside / path.name)
    except OSError as error:
        raise disk_error(error, aside) from error
    return aside


def unused(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3`, ... that does not exist."""
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


def _stays(path: Path, lineage: Collection[str], up_to_step: int) -> bool:
    found = read_complete(path)
    return found is not None and found.run_id in lineage and found.step <= up_to_step
