"""The folder of final adapters: written aside and swapped in, so that it is always one run's, and whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from inft.errors import disk_error
from inft.runs.files import replace_file, sync_file, sync_folder, unused
from inft.runs.locks import INSIDE
from inft.runs.results import RESULT, Result, read_result


def put_result(
    folder: Path,
    result: Result,
    write: Callable[[Path], None],
    *,
    lineage: Collection[str],
    busy: Path,
    at: datetime,
) -> Path | None:
    """Replaces the content of `folder` by what `write` makes.

    What was there is deleted if it is an earlier result of the same lineage, and moved aside otherwise.

    Args:
        folder: where the result goes; it need not exist.
        result: whose it is.
        write: fills the folder that it is given.
        lineage: ids of the run and of those that it continues.
        busy: a folder that must stay where it is, even if it lies in `folder`.
        at: the moment that names what is moved aside.

    Returns:
        Where the earlier content is now; None if it was deleted or there was none.

    Raises:
        DiskError: there is no room or no permission.
    """
    target = folder.resolve()  # a link to another disk stays one
    as_a_whole = not target.is_mount() and not busy.resolve().is_relative_to(target)
    staged = (target.parent if as_a_whole else target) / f".saving-{result.run_id}-{target.name}"
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        write(staged)
        replace_file(staged / RESULT, msgspec.json.encode(result) + b"\n", durable=False)
        for path in staged.rglob("*"):
            if path.is_file():
                sync_file(path)
        sync_folder(staged)
        before = read_result(target)
        same = before is not None and before.run_id in lineage
        return (_swap if as_a_whole else _fill)(staged, target, same=same, at=at)
    except OSError as error:
        raise disk_error(error, error.filename or target) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _swap(staged: Path, target: Path, *, same: bool, at: datetime) -> Path | None:
    """Gives `staged` the name `target`."""
    aside = doomed = None
    with suppress(OSError):
        target.rmdir()  # an empty folder is nobody's result
    if target.exists():
        if same:
            doomed = target.rename(unused(target.with_name(f".deleting-{target.name}-{os.getpid()}")))
        else:
            aside = target.rename(unused(target.with_name(f"{target.name}-earlier-{at:%Y%m%d-%H%M%S}")))
    try:
        staged.rename(target)
    except OSError:
        if (before := doomed or aside) is not None:
            before.rename(target)
        raise
    sync_folder(target.parent)
    if doomed is not None:
        shutil.rmtree(doomed, ignore_errors=True)  # what stays, `sweep_results` finds
    return aside


def _fill(staged: Path, target: Path, *, same: bool, at: datetime) -> Path | None:
    """Moves what is in `staged` into `target`, which itself cannot be moved (a mount, or checkpoints lie in it)."""
    new = sorted(path.name for path in staged.iterdir())
    old = [path for path in target.iterdir() if path.name != INSIDE and (path.is_file() or path.name in new)]
    aside = None
    if old and not same:
        aside = unused(target / f"earlier-{at:%Y%m%d-%H%M%S}")
        aside.mkdir()
        for path in old:
            path.rename(aside / path.name)
    # The file that names the run comes last: with it, the result is whole.
    for name in sorted(new, key=lambda name: name == RESULT):
        doomed = None
        if (target / name).is_dir():
            doomed = (target / name).rename(unused(target / f".deleting-{target.name}-{os.getpid()}"))
        (staged / name).replace(target / name)
        if doomed is not None:
            shutil.rmtree(doomed, ignore_errors=True)
    sync_folder(target)
    return aside


def sweep_results(folder: Path) -> list[Path]:
    """Deletes what killed runs left half written; for the holder of the folder's lock only.

    Where a run was killed between giving the old result away and giving the new one its name, it does the latter.

    Returns:
        What could not be deleted: on a network disk, somebody else may have it open.
    """
    target = folder.resolve()
    _finish_swap(target)
    left = []
    for place in (target.parent, target):
        for pattern in (f".saving-*-{target.name}", f".deleting-{target.name}-*"):
            for path in sorted(place.glob(pattern)):
                shutil.rmtree(path, ignore_errors=True)
                if path.exists():
                    left.append(path)
    return left


def _finish_swap(target: Path) -> None:
    """Gives the newest whole result that lies beside `target` its name, if nothing has it."""
    for pattern in (f".saving-*-{target.name}", f".deleting-{target.name}-*"):
        whole = [path for path in target.parent.glob(pattern) if read_result(path) is not None]
        if whole and not os.path.lexists(target):
            with suppress(OSError):
                max(whole, key=lambda path: path.stat().st_mtime).rename(target)
