"""Checkpoints of the runs before, brought into the folder that this run has to itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from inft.errors import DataError, disk_error
from inft.runs.checkpoints import Checkpoint, commit, read_complete, staging_folder, verify


def bring_in(checkpoint: Path, output_dir: Path, run_id: str) -> Path:
    """The same checkpoint in `output_dir`, where no other run can replace or delete it.

    Args:
        checkpoint: a complete one, of this run's lineage.
        output_dir: the folder whose lock this run holds.
        run_id: the run.

    Returns:
        `checkpoint` itself if it lies there; else a copy, which takes no room on the same disk.

    Raises:
        DataError: it is gone or damaged.
        DiskError: it could not be copied.
    """
    folder = checkpoint.resolve().parent
    if output_dir.resolve() in (folder, folder.parent if folder.name.startswith("earlier-") else folder):
        return checkpoint
    found = read_complete(checkpoint)
    if found is None:
        raise DataError(f"Checkpoint {checkpoint} is not there any more or not whole.", "Resume from another one.")
    final = output_dir / f"checkpoint-{found.step}"
    there = read_complete(final)
    if there is not None and (there.run_id, there.step) == (found.run_id, found.step):
        return final  # as an earlier resume left it
    staged = staging_folder(output_dir, run_id) / final.name
    try:
        shutil.copytree(checkpoint, staged, copy_function=_link_or_copy)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(staged.parent, ignore_errors=True)
        raise disk_error(error if isinstance(error, OSError) else OSError(str(error)), staged) from error
    try:
        verify(Checkpoint(staged, found.step, found.run_id))  # whoever holds the other folder may have changed it
        return commit(staged, final, run_id=found.run_id, step=found.step, base=found.base).path
    finally:
        shutil.rmtree(staged.parent, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
