"""`runs`: a line for every run, the newest last."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec

from inft.errors import ConfigError, DiskError, ExitCode, InftError
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.find import Found, all_runs, default_logs_dir
from inft.runs.follow import last_events
from inft.runs.inspect import Inspector
from inft.runs.jsonl import Record
from inft.runs.narrate import number
from inft.runs.redact import redact
from inft.runs.status import RunState
from inft.runs.visible import visible
from inft.wording import shown
from inft_tui.terminal import can_draw, out, out_json, shown_path
from inft_tui.words import coarse, loss_text, seconds_since

DAMAGED, UNREADABLE = "damaged", "unreadable"
STALLED, LIVE = "stalled", "live"
CHOICES: tuple[str, ...] = (*get_args(RunState), LIVE, STALLED, DAMAGED, UNREADABLE)


@dataclass(frozen=True)
class Row:
    """One run of the listing.

    Attributes:
        found: the run.
        state: of the run; `damaged` or `unreadable` where that cannot be told.
        condition: what it is doing; None where that cannot be told.
        log: its newest log line; None if there is none.
        problem: why its state cannot be told; empty if it can.
    """

    found: Found
    state: str
    condition: Condition | None = None
    log: Record | None = None
    problem: str = ""


def run(logs_dir: Path | None, state: str | None, *, as_json: bool) -> int:
    """Prints the runs.

    Args:
        logs_dir: the folder of runs; None = the default.
        state: only runs in this one of `CHOICES`; None = all.
        as_json: as JSON.

    Raises:
        ConfigError: there is no such state.
        DiskError: the folder is there and cannot be read.
    """
    if state is not None and state not in CHOICES:
        raise ConfigError(f"--state {shown(state)} is no state of a run.", f"There are: {', '.join(CHOICES)}.")
    folder = logs_dir if logs_dir is not None else default_logs_dir()
    rows = [row for row in map(_row, all_runs(folder)) if state is None or _is_in(row, state)]
    if as_json:
        out_json(redact(msgspec.json.encode({"runs": [_as_data(row) for row in rows]}).decode("utf-8")))
        return ExitCode.FINISHED
    if not rows:
        what = "no runs" if state is None else f"no runs that are {state}"
        out(f"There are {what} in {visible(shown_path(folder))}.")
    width = shutil.get_terminal_size().columns if can_draw() else None
    for line in lines(rows, width):
        out(line)
    return ExitCode.FINISHED


def lines(rows: Sequence[Row], width: int | None) -> list[str]:
    """The listing as text; what does not fit into `width` columns is cut from the remark at its end."""
    if not rows:
        return []
    table = [("run", "state", "step", "loss", "age", "")]
    table += [_cells(row) for row in rows]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]) - 1)]
    shown_lines = []
    for cells in table:
        run_id, state, step, loss, age, remark = cells
        line = (
            f"{run_id:<{widths[0]}}  {state:<{widths[1]}}  {step:>{widths[2]}}  {loss:>{widths[3]}}  {age:>{widths[4]}}"
        )
        if remark:
            room = None if width is None else max(0, width - len(line) - 2)
            line += f"  {remark if room is None or len(remark) <= room else remark[: max(0, room - 1)] + '…'}"
        shown_lines.append(line.rstrip())
    return shown_lines


def _row(found: Found) -> Row:
    try:
        if found.problem is not None:
            raise found.problem
        condition = Inspector(found.run, found.record, brief=True).look()
    except InftError as problem:
        return Row(found, UNREADABLE if isinstance(problem, DiskError) else DAMAGED, problem=problem.message)
    return Row(found, condition.state, condition, _last_log(found.run))


def _last_log(run: RunDirectory) -> Record | None:
    return next((event for event in reversed(last_events(run)) if event.get("event") == "log"), None)


def _is_in(row: Row, state: str) -> bool:
    if state == LIVE:
        return row.condition is not None and row.condition.alive
    if state == STALLED:
        return row.condition is not None and row.condition.stalled_sec is not None
    return row.state == state


def _cells(row: Row) -> tuple[str, str, str, str, str, str]:
    age = seconds_since(row.found.created)
    condition = row.condition
    step = ""
    if condition is not None and (condition.step or condition.max_steps):
        step = f"{condition.step:,}" if condition.max_steps is None else f"{condition.step:,}/{condition.max_steps:,}"
    loss = "" if row.log is None else loss_text(row.log)
    remark = visible(redact(_remark(row)))
    return visible(row.found.run.run_id), visible(row.state), step, loss, "" if age is None else coarse(age), remark


def _remark(row: Row) -> str:
    condition = row.condition
    if condition is None:
        return row.problem
    if condition.stalled_sec is not None:
        return f"stalled for {coarse(condition.stalled_sec)}"
    if condition.state == "failed" and condition.cause is not None:
        return condition.cause.kind.replace("_", " ")
    return ""


_TOLD = frozenset({"alive", "supervised", "stalled_sec", "elsewhere", "step", "max_steps", "exit_code"})


def _as_data(row: Row) -> dict[str, object]:
    condition = row.condition
    facts: dict[str, object] = {
        "run_id": row.found.run.run_id,
        "path": str(row.found.run.path),
        "profile": row.found.record.profile if row.found.record is not None else None,
        "created": row.found.created or None,
        "state": row.state,
        "loss": None if row.log is None else number(row.log, "loss"),
        "problem": row.problem or None,
    }
    if condition is not None:
        facts |= {key: value for key, value in vars(condition).items() if key in _TOLD}
        # What to do about it is `status`'s to say, which looks further.
        cause = condition.cause
        facts["cause"] = None if cause is None else {"kind": cause.kind, "message": cause.message}
    return facts
