"""Results of earlier runs in the same folders: moved aside, never overwritten or rotated away."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def set_checkpoints_aside(output_dir: Path, at: datetime) -> Path | None:
    """Moves the checkpoints of an earlier run into a subfolder, where this run's rotation does not look for old ones.

    Returns:
        The subfolder; None if there was nothing to move.
    """
    checkpoints = sorted(output_dir.glob("checkpoint-*"))
    if not checkpoints:
        return None
    aside = output_dir / f"earlier-{at:%Y%m%d-%H%M%S}"
    aside.mkdir()
    for checkpoint in checkpoints:
        checkpoint.rename(aside / checkpoint.name)
    return aside


def set_adapters_aside(best_model_dir: Path, at: datetime) -> Path | None:
    """Moves the final adapters of an earlier run to a folder beside.

    Returns:
        That folder; None if there were none.
    """
    if not any(best_model_dir.glob("adapter_model.*")):
        return None
    return best_model_dir.rename(best_model_dir.with_name(f"{best_model_dir.name}-earlier-{at:%Y%m%d-%H%M%S}"))
