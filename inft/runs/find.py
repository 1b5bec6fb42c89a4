"""Which runs there are, and which one a person means."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from inft.errors import ConfigError, InftError
from inft.params import BasicParams
from inft.project import inside, project_root
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.records import read_record, unreadable
from inft.runs.visible import visible
from inft.wording import did_you_mean, shown

LATEST = "latest"

_MOST_CANDIDATES = 6  # of an ambiguous name; enough to see what tells them apart
_STAMP = re.compile(r"-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(?:-\d+)?$")


@dataclass(frozen=True)
class Found:
    """One folder of a listing.

    Attributes:
        run: the run.
        record: where it came from; None if that cannot be read.
        problem: why not; None if it can.
    """

    run: RunDirectory
    record: RunRecord | None
    problem: InftError | None = None

    @property
    def created(self) -> str:
        """When the run was made, as ISO 8601; by the folder's name where the record is lost, else empty."""
        if self.record is not None:
            return self.record.created
        stamp = _STAMP.search(self.run.run_id)
        return "{}-{}-{}T{}:{}:{}.000Z".format(*stamp.groups()) if stamp else ""


def default_logs_dir() -> Path:
    """The folder of runs where nobody states another.

    Raises:
        ConfigError: `INFT_HOME` names no folder.
    """
    return inside(project_root(), BasicParams().logs_dir, "basic.logs_dir")


def all_runs(logs_dir: Path) -> list[Found]:
    """Every run in `logs_dir`, the oldest first, damaged and unreadable ones included.

    Raises:
        DiskError: the folder is there and cannot be read.
    """
    found: list[Found] = []
    for run in _folders(logs_dir):
        try:
            found.append(Found(run, read_record(run)))
        except InftError as problem:
            found.append(Found(run, None, problem))
    return sorted(found, key=lambda item: (item.created, len(item.run.run_id), item.run.run_id))


def find_run(name: str, logs_dir: Path | None = None) -> RunDirectory:
    """The run that a person means; whether it can be read is not looked at.

    Args:
        name: a run id, the beginning of only one, the path of a run's folder or of a file in it, or `latest`.
        logs_dir: where ids are looked up; None = `default_logs_dir`.

    Raises:
        ConfigError: there is no such run, or more than one.
        DiskError: a folder on the way cannot be read.
    """
    folder = logs_dir if logs_dir is not None else default_logs_dir()
    if name == LATEST:
        return _latest(folder)
    if os.sep in name or name.startswith(("~", ".")):
        return _by_path(name)
    runs = {run.run_id: run for run in _folders(folder)}
    if name in runs:
        return runs[name]
    # An empty name, for instance of an unset variable in a script, begins every id and means none.
    matches = sorted(run_id for run_id in runs if name and run_id.startswith(name))
    if len(matches) == 1:
        return runs[matches[0]]
    if matches:
        raise _ambiguous(name, matches)
    if name and "\0" not in name and os.path.exists(name):
        return _by_path(name)
    raise _unknown(name, list(runs), folder)


def reference(run: RunDirectory) -> str:
    """How a command names `run`: by its id where that is enough, else by its path; quoted for a shell if need be."""
    path = run.path.absolute()
    # Whoever followed a link to the run, or made logs/ one itself, means the same folder.
    is_usual = os.path.realpath(path.parent) == os.path.realpath(default_logs_dir())
    return shlex.quote(visible(run.run_id if is_usual else str(path)))


def _folders(logs_dir: Path) -> list[RunDirectory]:
    """The runs in `logs_dir`, in no order."""
    try:
        with os.scandir(logs_dir) as entries:
            return [RunDirectory(Path(entry.path)) for entry in entries if _is_run(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(error, logs_dir) from error


def _is_run(entry: os.DirEntry[str]) -> bool:
    """Whether this is a run's folder, or could be one if it could be read."""
    try:
        if not entry.is_dir():
            return False
    except OSError:
        return False  # a link such as logs/trainer_*.jsonl, into a folder that may not be read
    run = RunDirectory(Path(entry.path))
    files = (run.run_json, run.status_json, run.config_toml)
    return any(map(os.path.lexists, files)) or not os.access(entry.path, os.X_OK)


def _latest(logs_dir: Path) -> RunDirectory:
    # Another user's run cannot be meant. A damaged one can, and taking the one before it instead could stop that.
    candidates = [found for found in all_runs(logs_dir) if found.record is not None or _is_damaged(found)]
    if not candidates:
        raise ConfigError(f"There are no runs in {visible(str(logs_dir))}.", "Start one with `inft-tui --headless`.")
    return candidates[-1].run


def _is_damaged(found: Found) -> bool:
    return isinstance(found.problem, ConfigError)


def _by_path(text: str) -> RunDirectory:
    try:
        path = Path(text).expanduser()
        # A link such as logs/trainer_*.jsonl leads to a file of the run.
        absolute = Path(os.path.realpath(path)) if path.is_symlink() else Path(os.path.abspath(path))
        if absolute.is_dir():
            inner = (absolute, absolute.parent)  # the second for its control/
        elif absolute.exists():
            inner = (absolute.parent, absolute.parent.parent)
        else:
            raise ConfigError(f"There is no run at {shown(text)}.", "`inft-tui runs` lists the runs.")
        for folder in inner:
            if os.path.lexists(RunDirectory(folder).run_json):
                return RunDirectory(folder)
    except OSError as error:
        raise unreadable(error, visible(text)) from error
    except (RuntimeError, ValueError):
        raise ConfigError(f"{shown(text)} is not a path.", "`inft-tui runs` lists the runs.") from None
    return RunDirectory(inner[0])


def _ambiguous(name: str, matches: list[str]) -> ConfigError:
    listed = ", ".join(visible(match) for match in matches[-_MOST_CANDIDATES:])
    more = len(matches) - _MOST_CANDIDATES
    return ConfigError(
        f"{shown(name)} is the beginning of {len(matches)} runs: {listed}{f' and {more} older' if more > 0 else ''}.",
        "Write more of it.",
    )


def _unknown(name: str, run_ids: list[str], logs_dir: Path) -> ConfigError:
    near = [visible(run_id) for run_id in get_close_matches(name, run_ids, n=3)]
    hint = did_you_mean(near)
    return ConfigError(
        f"There is no run {shown(name)} in {visible(str(logs_dir))}.",
        f"{hint} `inft-tui runs` lists them.".lstrip(),
    )
