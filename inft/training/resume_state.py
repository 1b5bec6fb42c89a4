"""What a checkpoint holds beyond transformers' own files, so that a resumed run goes on as if nothing had happened."""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inft.data.munichus import Selection
from inft.data.rows import UnusableRow
from inft.errors import DataError

RESUME_STATE = "inft-resume.json"
"""The file in a checkpoint's folder."""

SCHEMA_VERSION = 1

_ROWS_LOOKED_AT = 64
"""Rows whose text goes into a fingerprint: enough to notice another corpus, few enough to read in no time."""


@dataclass(frozen=True)
class RowsFingerprint:
    """Tells whether two runs have the same rows in the same order.

    Attributes:
        rows: how many.
        digest: of their numbers in the corpus and of the text of some of them.
    """

    rows: int
    digest: str


@dataclass(frozen=True)
class ResumeState:
    """The content of the file.

    Attributes:
        loss_sum: of the optimiser steps since the last regular log line, each the mean loss of its tokens.
        loss_since: optimiser steps done at that line.
        rows: fingerprint of the rows trained on ("train") and evaluated on ("evaluation").
        figures: what else a trainer counts, in its own words; plain JSON.
        evaluation_due: whether the run ended at an evaluation that was left out.
        criterion: what the best checkpoint was chosen by, by name; empty where an earlier version wrote the file.
    """

    loss_sum: float = 0.0
    loss_since: int = 0
    rows: Mapping[str, RowsFingerprint] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    evaluation_due: bool = False
    criterion: Mapping[str, Any] = field(default_factory=dict)

    def write(self, checkpoint: Path) -> None:
        """Adds the file to a checkpoint that is being written."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        (checkpoint / RESUME_STATE).write_text(json.dumps(content) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, checkpoint: Path) -> ResumeState:
        """What the checkpoint holds.

        Raises:
            DataError: it has no such file, or one that this version does not understand.
        """
        path = checkpoint / RESUME_STATE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"its version is {content['schema_version']}")
            rows = {use: RowsFingerprint(**fingerprint) for use, fingerprint in content["rows"].items()}
            # Older checkpoints do not say these two.
            due, criterion = content.get("evaluation_due", False), content.get("criterion", {})
            return cls(content["loss_sum"], content["loss_since"], rows, content["figures"], due, criterion)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} cannot be read ({error}), so the run cannot be resumed exactly.",
                "Resume from another checkpoint, or with the version of inft that wrote this one.",
            ) from error


def fingerprint(rows: Selection) -> RowsFingerprint:
    """The fingerprint of what a run trains or evaluates on; no picture is looked at."""
    digest = zlib.crc32(array("q", rows.indices).tobytes())
    count = len(rows)
    for number in range(0, count, max(1, count // _ROWS_LOOKED_AT)):
        text = "unusable"
        with suppress(UnusableRow):
            row = rows[number]
            text = "\0".join((row.language, row.title, row.content, row.caption))
        digest = zlib.crc32(text.encode("utf-8", "backslashreplace"), digest)
    return RowsFingerprint(count, f"{digest:08x}")


def changed_rows(before: Mapping[str, RowsFingerprint], now: Mapping[str, RowsFingerprint]) -> str | None:
    """What is different about a resumed run's rows, as the middle of a sentence; None = nothing.

    >>> changed_rows({"train": RowsFingerprint(9, "a")}, {"train": RowsFingerprint(8, "b")})
    'there are 8 rows to train on now, and were 9'
    """
    for use, verb in (("train", "train"), ("evaluation", "evaluate")):
        old, new = before.get(use), now.get(use)
        if old == new:
            continue
        if old is None or new is None:
            return f"there are {'no' if new is None else 'now'} rows to {verb} on"
        if old.rows != new.rows:
            return f"there are {new.rows:,} rows to {verb} on now, and were {old.rows:,}"
        return f"the {new.rows:,} rows to {verb} on are others, or in another order"
    return None


def changed_criterion(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What is different about the figure that decides what is best, as the middle of a sentence; None = nothing.

    >>> changed_criterion({"metric": "eval_loss", "more": False}, {"metric": "eval_cider", "more": True})
    'metric was eval_loss and is eval_cider, more was False and is True'
    >>> changed_criterion({}, {"metric": "eval_loss"}) is None
    True
    """
    if not before or not now or before == now:
        return None
    return ", ".join(
        f"{name} was {_told(before.get(name))} and is {_told(now.get(name))}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    )


def _told(value: Any) -> str:
    return "not stated" if value is None else str(value)
