"""Which run continues which."""

from __future__ import annotations

from inft.errors import InftError
from inft.runs.directory import RunDirectory
from inft.runs.find import all_runs
from inft.runs.records import read_record


def ancestors(run: RunDirectory) -> list[str]:
    """The ids of `run` itself, of the run it continues, of the one before that, and so on.

    It ends at a run whose record is gone; that run's id is the last one.
    """
    ids: list[str] = []
    run_id: str | None = run.run_id
    # A record that was tampered with may lead in a circle, or out of the folder.
    while run_id is not None and run_id not in ids and _is_name(run_id):
        ids.append(run_id)
        try:
            run_id = read_record(RunDirectory(run.path.with_name(run_id))).resumed_from
        except InftError:
            break
    return ids


def successor(run: RunDirectory) -> RunDirectory | None:
    """The newest run that continues `run`; None if none does.

    Raises:
        DiskError: the folder of runs cannot be read.
    """
    later = [
        found.run
        for found in all_runs(run.path.parent)
        if found.record is not None and found.record.resumed_from == run.run_id
    ]
    return later[-1] if later else None


def _is_name(run_id: str) -> bool:
    """Whether this is the name of something that can lie in a folder."""
    return run_id not in ("", ".", "..") and "/" not in run_id and "\0" not in run_id
