"""Whose adapters lie in a folder, and where a run's own are now: a later run moves them aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inft.runs.bases import BaseIdentity

RESULT = "inft-run.json"
"""The file that says which run the adapters are of."""


@dataclass(frozen=True)
class Result:
    """The content of `inft-run.json`.

    Attributes:
        run_id: the run.
        step: optimiser steps that went into the adapters.
        is_best: whether they are those of the best evaluation, and not of the run's last step.
        base: what they were trained on; None where an earlier version wrote the file.
    """

    run_id: str
    step: int
    is_best: bool = False
    base: BaseIdentity | None = None


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(Result)


def read_result(folder: Path) -> Result | None:
    """Whose adapters lie in `folder`; None if it does not say."""
    try:
        return _DECODER.decode((folder / RESULT).read_bytes())
    except (OSError, ValueError):
        return None


def find_result(folder: Path, run_id: str) -> Path | None:
    """Where the adapters of a run are that it has put into `folder`; None if they are gone.

    Args:
        folder: the folder of adapters, as the run's configuration states it.
        run_id: the run.
    """
    return next((place for place in _places(folder) if _is_of(place, run_id)), None)


def _is_of(folder: Path, run_id: str) -> bool:
    result = read_result(folder)
    return result is not None and result.run_id == run_id


def _places(folder: Path) -> Iterator[Path]:
    """The folder, and what was in it before, the newest first: beside it, or in it where it could not be moved."""
    yield folder
    target = folder.resolve()  # a link to another disk: what was there before lies beside what it leads to
    for parent, prefix in ((target.parent, f"{target.name}-earlier-"), (target, "earlier-")):
        try:
            entries = [entry for entry in parent.iterdir() if entry.name.startswith(prefix)]
        except OSError:
            continue
        yield from sorted(entries, reverse=True)
