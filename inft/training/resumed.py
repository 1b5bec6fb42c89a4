"""Where a run's checkpoints go, and which ones of the runs before it goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inft.errors import DataError
from inft.runs.bases import BaseIdentity
from inft.runs.checkpoints import read_complete
from inft.training.own_copy import bring_in
from inft.training.resume_state import ResumeState, RowsFingerprint, changed_criterion

TRAINER_STATE = "trainer_state.json"
"""Where the Trainer keeps its own state in a checkpoint."""


@dataclass(frozen=True)
class CheckpointPlan:
    """Where a run's checkpoints go.

    Attributes:
        output_dir: their folder.
        lineage: this run's id, then those of the runs that it continues.
        keep: how many stay; the best counts among them, yet the newest always stays.
        rows: fingerprints of the rows, for the run that resumes from one.
        base: what is trained on; None = not known.
        criterion: what the best one is chosen by, by name; plain JSON. Figures of another criterion are not compared.
    """

    output_dir: Path
    lineage: tuple[str, ...]
    keep: int
    rows: Mapping[str, RowsFingerprint] = field(default_factory=dict)
    base: BaseIdentity | None = None
    criterion: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run that writes them."""
        return self.lineage[0]

    def path(self, step: int) -> Path:
        """The checkpoint of an optimiser step."""
        return self.output_dir / f"checkpoint-{step}"


@dataclass(frozen=True)
class Resumed:
    """What a resumed run knows of the run before.

    Attributes:
        path: the checkpoint it starts from.
        best: the best checkpoint so far; None = there was none, or it is gone.
        lost_best: where the best one was that is gone.
        other_criterion: how the figure that decided differs from the one that does now; None = it is the same.
    """

    path: Path
    best: Path | None
    lost_best: str | None
    other_criterion: str | None = None


def find_best(checkpoint: Path, plan: CheckpointPlan) -> Resumed:
    """Where the best checkpoint is that a checkpoint speaks of, even if both were moved aside since."""
    state = json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))
    recorded: str | None = state["best_model_checkpoint"]
    if recorded is None:
        return Resumed(checkpoint, None, None)
    # Beside it first: under the recorded name, another run's checkpoint may lie by now.
    for place in (checkpoint.parent / Path(recorded).name, Path(recorded), plan.output_dir / Path(recorded).name):
        found = read_complete(place)
        if found is not None and found.run_id in plan.lineage:
            return Resumed(checkpoint, place, None)
    return Resumed(checkpoint, None, recorded)


def for_criterion(resumed: Resumed, state: ResumeState, plan: CheckpointPlan) -> Resumed:
    """The same, but a checkpoint that was the best by other figures than this run's is not one."""
    change = changed_criterion(state.criterion, plan.criterion)
    before, now = state.rows.get("evaluation"), plan.rows.get("evaluation")
    if change is None and None not in (before, now) and before != now:
        change = "the rows evaluated on are others"
    return resumed if change is None else Resumed(resumed.path, None, None, change)


def in_own_folder(resumed: Resumed, plan: CheckpointPlan) -> Resumed:
    """The same in the run's own folder, so that whoever writes to the folder of the run before does no harm.

    Raises:
        DataError: the checkpoint to start from is gone or damaged; a best one that is so counts as lost.
        DiskError: one could not be copied.
    """
    path = bring_in(resumed.path, plan.output_dir, plan.run_id)
    if resumed.best is None:
        return replace(resumed, path=path)
    try:
        return replace(resumed, path=path, best=bring_in(resumed.best, plan.output_dir, plan.run_id))
    except DataError:
        return Resumed(path, None, str(resumed.best))


def is_of_step(path: Path, step: int) -> bool:
    """Whether a checkpoint's folder has the name of this step, or had it before it was moved aside.

    >>> is_of_step(Path("checkpoint-12-2"), 12), is_of_step(Path("checkpoint-12"), 1)
    (True, False)
    """
    return path.name.split("-")[1:2] == [str(step)]
