"""What a run has saved: which folder its checkpoints lie in, and the newest one that is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.errors import InftError
from inft.project import inside, project_root
from inft.runs.checkpoints import Checkpoint, newest, newest_sound, read_complete, verify
from inft.runs.directory import RunDirectory
from inft.runs.lineage import ancestors
from inft.runs.records import read_record
from inft.runs.results import find_result, read_result


def home_of(run: RunDirectory, config: Config) -> Path:
    """The project's root that the relative paths of a run start from.

    Its record says which, unless the project was moved since; then it is the one in whose `basic.logs_dir` the run
    lies. Where that is absolute it tells nothing, and the present project is it.

    Raises:
        ConfigError: `INFT_HOME` names no folder.
    """
    logs_dir = Path(os.path.normpath(config.basic.logs_dir))
    recorded = _recorded_root(run)
    if recorded is not None and _is_same(recorded / logs_dir.expanduser() / run.run_id, run.path):
        return recorded
    parent = run.path.absolute().parent
    if not logs_dir.is_absolute() and parent.parts[-len(logs_dir.parts) :] == logs_dir.parts:
        return parent.parents[len(logs_dir.parts) - 1]
    return project_root()


def checkpoint_folder(run: RunDirectory, config: Config) -> Path:
    """Where the checkpoints of `run` go.

    Raises:
        ConfigError: the folder leads out of the project.
    """
    return inside(home_of(run, config), config.output_dir, config.output_dir_key)


def last_checkpoint(run: RunDirectory) -> Checkpoint | None:
    """The newest complete checkpoint of `run`; if it has none, of the run it continues, and so on; None if none has.

    A run that cannot be read has none, and yet what another one started from may be there.
    """
    for run_id, folder in _folders(run):
        with suppress(InftError):
            found = newest(folder, [run_id])
            if found is not None:
                return found
    return next(_starts(run), None)


@dataclass(frozen=True)
class Adapters:
    """Where the adapters are that a run has saved at its end.

    Attributes:
        folder: where they were put.
        path: where they are now; None = they are gone.
        others: whose adapters lie in `folder` now, where they are not the run's own; None = it does not say.
    """

    folder: Path
    path: Path | None
    others: str | None = None


def saved_adapters(run: RunDirectory) -> Adapters | None:
    """Where the adapters of `run` are, or were; None where its configuration cannot be read."""
    from inft.profiles import load_config  # as above

    try:
        config = load_config(run.config_toml)
        folder = inside(home_of(run, config), config.best_model_dir, config.best_model_dir_key)
    except InftError:
        return None
    path = find_result(folder, run.run_id)
    result = read_result(folder) if path != folder else None
    return Adapters(folder, path, None if result is None else result.run_id)


def last_sound_checkpoint(run: RunDirectory) -> tuple[Checkpoint | None, list[InftError]]:
    """As `last_checkpoint`, but every byte of it was read and is as it was written; a gigabyte takes about a second.

    Returns:
        The checkpoint, and what is wrong with each that would have come before it.
    """
    problems: list[InftError] = []
    for run_id, folder in _folders(run):
        with suppress(InftError):
            found, damaged = newest_sound(folder, [run_id])
            problems += damaged
            if found is not None:
                return found, problems
    for start in _starts(run):
        try:
            verify(start)
        except InftError as problem:
            if problem.message not in [known.message for known in problems]:
                problems.append(problem)
        else:
            return start, problems
    return None, problems


def _folders(run: RunDirectory) -> Iterator[tuple[str, Path]]:
    """The ids of `run` and of those before it, each with the folder of its checkpoints as far as that is known."""
    from inft.profiles import load_config  # 50 ms that only a look for checkpoints needs

    folder = None
    for run_id in ancestors(run):
        before = RunDirectory(run.path.with_name(run_id))
        with suppress(InftError):
            folder = checkpoint_folder(before, load_config(before.config_toml))
        if folder is not None:  # of a run that was deleted they lie where those of the run lie that continues it
            yield run_id, folder


def _starts(run: RunDirectory) -> Iterator[Checkpoint]:
    """What `run` and those before it started from, by their own records.

    Where the run before was deleted, or lies in another folder of runs, nothing else leads there.
    """
    for run_id in ancestors(run):
        with suppress(InftError):
            stated = read_record(RunDirectory(run.path.with_name(run_id))).checkpoint
            if stated is not None and os.path.isabs(stated) and (found := read_complete(Path(stated))) is not None:
                yield found


def _recorded_root(run: RunDirectory) -> Path | None:
    try:
        root = read_record(run).root
    except InftError:
        return None
    return None if root is None else Path(root)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError, RuntimeError):
        return False
