"""Checkpoints of other runs in the same folder: moved aside, never overwritten or rotated away."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from inft.runs.checkpoints import read_complete, set_aside


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
    moved = [set_aside(path, at) for path in moving]
    return moved[-1].parent if moved else None


def _stays(path: Path, lineage: Collection[str], up_to_step: int) -> bool:
    found = read_complete(path)
    return found is not None and found.run_id in lineage and found.step <= up_to_step
