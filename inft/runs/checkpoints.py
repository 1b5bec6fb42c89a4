"""Checkpoints that are complete or not there.

A checkpoint is written into `<output_dir>/.saving-<run id>/checkpoint-N`. `commit` then waits until the disk has every
file, adds the manifest, and only then gives the folder its name `<output_dir>/checkpoint-N`. What is deleted loses
that name first. So whatever is killed at whatever moment: under a checkpoint's own name, with its manifest and with
every file at the stated size, there is all of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from inft.errors import DataError, DiskError, InftError, disk_error
from inft.runs.bases import BaseIdentity
from inft.runs.clock import timestamp, utc_now
from inft.runs.files import replace_file, sync_file, sync_folder, unused

MANIFEST = "inft-checkpoint.json"
"""The file that makes a folder a complete checkpoint; written last."""

SCHEMA_VERSION = 1

_SAVING = ".saving-"
_DELETING = ".deleting-"
_EARLIER = "earlier-"
_NAME = re.compile(r"checkpoint-\d+")
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        path: its folder.
        step: optimiser steps done.
        run_id: the run that wrote it.
        base: what its adapters were trained on; None where an earlier version wrote it.
    """

    path: Path
    step: int
    run_id: str
    base: BaseIdentity | None = None


@dataclass(frozen=True)
class FileFacts:
    """What a file of a checkpoint must be like."""

    bytes: int
    crc32: int


@dataclass(frozen=True)
class Manifest:
    """The content of `inft-checkpoint.json`.

    Attributes:
        schema_version: see `SCHEMA_VERSION`.
        run_id: the run that wrote the checkpoint.
        step: optimiser steps done.
        created: when it was complete.
        files: every other file, by its path inside the folder.
        base: what the adapters were trained on; None where an earlier version wrote the file.
    """

    schema_version: int
    run_id: str
    step: int
    created: str
    files: dict[str, FileFacts]
    base: BaseIdentity | None = None


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(Manifest)


def staging_folder(output_dir: Path, run_id: str) -> Path:
    """Where a run writes its checkpoints before they are complete; on the same disk, so that a rename is one step."""
    return output_dir / f"{_SAVING}{run_id}"


def commit(staged: Path, final: Path, *, run_id: str, step: int, base: BaseIdentity | None = None) -> Checkpoint:
    """Makes what was written to `staged` the checkpoint `final`, in one step.

    What already has that name is never overwritten: a checkpoint of the same run and step is removed afterwards,
    anything else is moved to `earlier-<time>/`.

    Args:
        staged: the folder with every file of the checkpoint.
        final: its name from now on, on the same disk.
        run_id: the run that wrote it.
        step: optimiser steps done.
        base: what its adapters were trained on; None = not known.

    Raises:
        DiskError: the disk did not take it. `final` is then as it was before, or complete if only the very last sync
            failed; `staged`, where it is still there, is the caller's to remove.
    """
    files = {}
    for path in _files_below(staged):
        sync_file(path)
        files[path.relative_to(staged).as_posix()] = FileFacts(*_size_and_crc32(path))
    manifest = Manifest(SCHEMA_VERSION, run_id, step, timestamp(utc_now()), files, base)
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    replace_file(staged / MANIFEST, content, durable=True)
    for folder, _, _ in os.walk(staged):
        sync_folder(Path(folder))
    replaced = set_aside(final) if final.exists() or final.is_symlink() else None
    try:
        staged.rename(final)
    except OSError as error:
        if replaced is not None:
            with contextlib.suppress(OSError):
                replaced.rename(final)
        raise disk_error(error, final) from error
    sync_folder(final.parent)
    if replaced is not None and _is_of(replaced, run_id, step):
        with contextlib.suppress(DiskError):  # the new one is complete, and that is what was asked for
            remove(replaced)
        _remove_if_empty(replaced.parent)
    if staged.parent.name.startswith(_SAVING):
        _remove_if_empty(staged.parent)
    return Checkpoint(final, step, run_id, base)


def read_complete(path: Path) -> Checkpoint | None:
    """The checkpoint in the folder `path`; None if there is none or something of it is missing.

    Looks at names and sizes only; `verify` looks at the content.

    Raises:
        DiskError: the folder is there and cannot be read.
    """
    manifest = _complete_manifest(path)
    return None if manifest is None else Checkpoint(path, manifest.step, manifest.run_id, manifest.base)


def verify(checkpoint: Checkpoint) -> None:
    """Reads every file of a checkpoint and compares it with what was written; a gigabyte takes about a second.

    Raises:
        DataError: a file is missing or differs.
        DiskError: a file cannot be read.
    """
    manifest = _read_manifest(checkpoint.path)
    if manifest is None:
        raise _damaged(checkpoint.path, MANIFEST, "cannot be read")
    for name, facts in manifest.files.items():
        path = checkpoint.path / name
        if _size(path) != facts.bytes:
            raise _damaged(checkpoint.path, name, f"is missing or does not have its {facts.bytes} bytes")
        try:
            found = _size_and_crc32(path)
        except DiskError as error:
            raise _unreadable(path, error.__cause__) from error
        if found != (facts.bytes, facts.crc32):
            raise _damaged(checkpoint.path, name, "does not hold what was written")


def complete_checkpoints(output_dir: Path) -> list[Checkpoint]:
    """Every complete checkpoint in `output_dir` and in its `earlier-*` folders, by ascending step.

    Of two with the same step, the one that was completed later comes last.

    Raises:
        DiskError: a folder is there and cannot be read.
    """
    found = [
        (manifest.step, manifest.created, Checkpoint(path, manifest.step, manifest.run_id, manifest.base))
        for path in _checkpoint_folders(output_dir)
        if (manifest := _complete_manifest(path)) is not None
    ]
    return [checkpoint for *_, checkpoint in sorted(found, key=lambda item: item[:2])]


def incomplete_checkpoints(output_dir: Path) -> list[Path]:
    """The folders there that have a checkpoint's name and are none, by that name.

    Raises:
        DiskError: a folder is there and cannot be read.
    """
    return sorted(path for path in _checkpoint_folders(output_dir) if read_complete(path) is None)


def newest(output_dir: Path, run_ids: Sequence[str]) -> Checkpoint | None:
    """The complete checkpoint with the most steps, of the first of `run_ids` that has any.

    Raises:
        DiskError: a folder is there and cannot be read.
    """
    checkpoints = complete_checkpoints(output_dir)
    for run_id in run_ids:
        own = [checkpoint for checkpoint in checkpoints if checkpoint.run_id == run_id]
        if own:
            return own[-1]
    return None


def newest_sound(output_dir: Path, run_ids: Sequence[str]) -> tuple[Checkpoint | None, list[InftError]]:
    """As `newest`, but every byte of it was checked; damaged ones are left out, those that the disk lost included.

    Returns:
        The checkpoint, and what is wrong with each that would have come before it.

    Raises:
        DiskError: a folder is there and cannot be read.
    """
    checkpoints = complete_checkpoints(output_dir)
    problems: list[InftError] = []
    for run_id in run_ids:
        for checkpoint in reversed([checkpoint for checkpoint in checkpoints if checkpoint.run_id == run_id]):
            try:
                verify(checkpoint)
            except (DataError, DiskError) as problem:
                problems.append(problem)
            else:
                return checkpoint, problems
    return None, problems


def remove(path: Path) -> None:
    """Deletes a checkpoint, which stops being one before its first file goes; does nothing where there is none.

    Files that cannot be deleted are left to the next `sweep`: on a network disk, somebody else may have them open.

    Raises:
        DiskError: its folder does not let go of its name.
    """
    try:
        if path.is_symlink():
            path.unlink()
            return
        doomed = unused(path.with_name(f"{_DELETING}{path.name}-{os.getpid()}"))
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, path) from error


def rotate(output_dir: Path, *, run_ids: Collection[str], keep: int, best: Path | None) -> list[Path]:
    """Deletes the oldest complete checkpoints of these runs; copies by another name or in `earlier-*` folders stay.

    Args:
        output_dir: the folder of checkpoints.
        run_ids: whose checkpoints may be deleted.
        keep: how many stay, at least 1. The best counts among them, yet the newest always stays beside it.
        best: a checkpoint that stays however old it is.

    Returns:
        What was deleted.

    Raises:
        DiskError: one could not be deleted.
    """
    own = [
        checkpoint.path
        for checkpoint in complete_checkpoints(output_dir)
        if checkpoint.run_id in run_ids and checkpoint.path == output_dir / f"checkpoint-{checkpoint.step}"
    ]
    staying = set(own[-1:])
    if best is not None:
        staying.update(path for path in own if path.resolve() == best.resolve())
    for path in reversed(own):
        if len(staying) >= keep:
            break
        staying.add(path)
    doomed = [path for path in own if path not in staying]
    for path in doomed:
        remove(path)
    return doomed


def sweep(output_dir: Path) -> list[Path]:
    """Deletes what killed processes left half written or half deleted in `output_dir`.

    For the holder of the folder's lock only: nobody else may be writing there.

    Returns:
        What could not be deleted; none of it is in a run's way.
    """
    left = []
    for pattern in (f"{_SAVING}*", f"{_DELETING}*"):
        for path in sorted(output_dir.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                left.append(path)
    return left


def set_aside(path: Path, at: datetime | None = None) -> Path:
    """Moves `path` into a folder `earlier-<time>` beside it, where rotation leaves it alone.

    Args:
        path: what is moved.
        at: the moment that names the folder; None = now.

    Returns:
        Where it is now.

    Raises:
        DiskError: it could not be moved.
    """
    try:
        folder = path.with_name(f"{_EARLIER}{at or utc_now():%Y%m%d-%H%M%S}")
        folder.mkdir(exist_ok=True)
        moved = unused(folder / path.name)
        return path.rename(moved)
    except OSError as error:
        raise disk_error(error, path) from error


def _checkpoint_folders(output_dir: Path) -> list[Path]:
    try:
        return [
            path
            for folder in (output_dir, *sorted(output_dir.glob(f"{_EARLIER}*")))
            for path in sorted(_entries(folder))
            if _NAME.match(path.name) and path.is_dir()
        ]
    except OSError as error:
        raise _unreadable(output_dir, error) from error


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _complete_manifest(path: Path) -> Manifest | None:
    """The manifest of the folder `path`; None unless every file that it names is there with its size."""
    manifest = _read_manifest(path)
    if manifest is None or any(_size(path / name) != facts.bytes for name, facts in manifest.files.items()):
        return None
    return manifest


def _read_manifest(path: Path) -> Manifest | None:
    """The manifest of the folder `path`; None where there is none that this version can trust."""
    try:
        manifest = _DECODER.decode((path / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise _unreadable(path / MANIFEST, error) from error
    if manifest.schema_version != SCHEMA_VERSION or not all(_is_inside(name) for name in manifest.files):
        return None
    return manifest


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _is_of(path: Path, run_id: str, step: int) -> bool:
    manifest = _read_manifest(path)
    return manifest is not None and (manifest.run_id, manifest.step) == (run_id, step)


def _size(path: Path) -> int | None:
    """The size of a regular file in bytes; None if it is no such file."""
    try:
        return path.stat().st_size if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name != MANIFEST:
                yield Path(parent, name)


def _size_and_crc32(path: Path) -> tuple[int, int]:
    size = crc = 0
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                size += len(block)
                crc = zlib.crc32(block, crc)
    except OSError as error:
        raise disk_error(error, path) from error
    return size, crc


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _damaged(folder: Path, name: str, what: str) -> DataError:
    return DataError(f"Checkpoint {folder} is damaged: {name} {what}.", "Resume from an older checkpoint.")


def _unreadable(path: Path, reason: BaseException | None) -> DiskError:
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return DiskError(f"Could not read {path}: {text.lower()}.", "Check who may read it.")
