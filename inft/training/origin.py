"""Where a resumed run starts from: the checkpoint, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inft.errors import DataError
from inft.runs import events
from inft.runs.checkpoints import Checkpoint, read_complete, verify
from inft.runs.directory import RunDirectory
from inft.runs.records import read_record
from inft.training.report import RunReport
from inft.training.resume_state import ResumeState, RowsFingerprint, changed_rows


@dataclass(frozen=True)
class StartingPoint:
    """What a run continues.

    Attributes:
        checkpoint: its first state.
        resumed_from: the id of the run before.
        state: what the checkpoint holds of ours.
        forced: whether other rows are meant.
    """

    checkpoint: Checkpoint
    resumed_from: str
    state: ResumeState
    forced: bool

    @property
    def origin(self) -> dict[str, object]:
        """As `train_begin` tells it."""
        return {"resumed_from": self.resumed_from, "checkpoint": str(self.checkpoint.path)}

    def check_rows(self, rows: Mapping[str, RowsFingerprint], report: RunReport) -> None:
        """Makes sure that the run's rows are those of the run before; with `forced`, warns if they are not.

        Raises:
            DataError: they are not, so no step would see the rows that it would have seen.
        """
        change = changed_rows(self.state.rows, rows)
        if change is None:
            return
        message = f"The rows are not those of run {self.resumed_from}: {change}."
        if not self.forced:
            raise DataError(message, "Restore the corpus, or resume with --force to go on with these rows.")
        report.event(events.alert(level="warning", kind="rows", message=message, fix="The curve will differ."))


def starting_point(run: RunDirectory) -> StartingPoint | None:
    """What `run` continues, every byte of it checked; None if it starts afresh.

    Raises:
        DataError: the checkpoint is gone or damaged.
        InftError: the run's record cannot be read.
    """
    record = read_record(run)
    if record.checkpoint is None or record.resumed_from is None:
        return None
    checkpoint = read_complete(Path(record.checkpoint))
    if checkpoint is None:
        raise DataError(
            f"The checkpoint to resume from, {record.checkpoint}, is not there any more or not whole.",
            f"`inft-tui resume {record.resumed_from}` looks for another one.",
        )
    verify(checkpoint)
    return StartingPoint(checkpoint, record.resumed_from, ResumeState.read(checkpoint.path), record.forced)
