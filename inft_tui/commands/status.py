"""`status`: what a run is doing, who works on it, and what to do if something is wrong."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import msgspec

from inft.errors import DiskError, ExitCode
from inft.machine.processes import ProcessId
from inft.runs.checkpoints import Checkpoint
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.endings import told_anew
from inft.runs.find import find_run, reference
from inft.runs.follow import last_events
from inft.runs.inspect import Inspector
from inft.runs.jsonl import Record
from inft.runs.lineage import successor
from inft.runs.narrate import number
from inft.runs.redact import redact
from inft.runs.saved import Adapters, last_checkpoint, saved_adapters
from inft.runs.soundness import BadLines, bad_lines_words
from inft.runs.visible import visible
from inft_tui.terminal import can_draw, end_line_of_ctrl_c, out, out_json, put, shown_path
from inft_tui.words import Latest, coarse, latest, seconds_since, state_line

POLL_S = 0.5
"""Between two looks of `--watch`: soon enough for a person, and a hundredth of a core."""
QUIET_S = 10.0
"""A heartbeat younger than this is not worth watching."""
CONSOLE_LINES = 5
"""Of `console.log`, under a run that ended without a reason of its own."""

TAIL_HEADING = "  The last lines of its console.log:"
LOOK_UP_S = 10.0
"""Between two looks for what a run has saved, which a later one may move."""

_LABEL_COLUMNS = 12


@dataclass(frozen=True)
class Picture:
    """All that is said about a run.

    Attributes:
        condition: what it is doing.
        news: what its newest events tell.
        checkpoint: its newest complete one, or that of a run it continues; None if there is none.
        continued_by: the newest run that continues it; None if none does.
        adapters: where those are that it has saved; None = it has saved none yet, or nobody knows where.
        bad_lines: how many lines of its events could not be read.
        has_saved: whether it has told of a checkpoint lately.
    """

    run: RunDirectory
    record: RunRecord
    condition: Condition
    news: Latest
    checkpoint: Checkpoint | None
    continued_by: str | None
    adapters: Adapters | None = None
    bad_lines: int = 0
    has_saved: bool = False


def run(name: str, logs_dir: Path | None, *, watch: bool, as_json: bool) -> int:
    """Prints the state of a run once, or again and again until it has ended.

    Returns:
        0; the run's exit code if it was watched to its end.

    Raises:
        ConfigError: there is no such run, or it is damaged.
        DiskError: it cannot be read.
    """
    inspector = Inspector(find_run(name, logs_dir))
    look = Looker(inspector).look
    if watch:
        try:
            return _watch(look, as_json=as_json)
        except KeyboardInterrupt:
            end_line_of_ctrl_c()
            return ExitCode.FINISHED
    picture = look()
    if as_json:
        out_json(_json(picture))
    else:
        for line in lines(picture, _width()):
            out(line)
    return ExitCode.FINISHED


def lines(picture: Picture, width: int | None, *, watching: bool = False) -> list[str]:
    """The picture as text.

    Args:
        picture: what to say.
        width: where to wrap, in columns; None = nowhere.
        watching: leave out what changes with nothing but the clock.
    """
    rows = [(label, redact(text)) for label, text in _rows(picture, watching=watching)]
    shown = [visible(picture.run.run_id)]
    for label, text in rows:
        # A path is copied whole unless lines are counted to be drawn over.
        shown += _wrapped(label, visible(text), width, break_words=watching)
    cause = picture.condition.cause
    tail = [] if cause is None else [line for line in cause.tail if line.strip()]
    if tail:
        shown += ["", TAIL_HEADING]
        for line in tail[-CONSOLE_LINES:]:
            text = visible(redact(line))
            shown.append(f"    {text}" if width is None else f"    {text}"[:width])
    return shown


class Looker:
    """Looks at one run, and looks up only when it may have changed what is dear to look up.

    Args:
        inspector: of the run.
        most_bytes: of its events that are looked through at a time for damaged lines; None = all of them.
    """

    def __init__(self, inspector: Inspector, *, most_bytes: int | None = None) -> None:
        self._inspector = inspector
        self._most_bytes = most_bytes
        self._for: tuple[str, int] | None = None
        self._looked_up_at = float("-inf")
        self._checkpoint: Checkpoint | None = None
        self._continued_by: str | None = None
        self._adapters: Adapters | None = None
        self._bad_lines = BadLines(inspector.run.metrics)

    def look(self) -> Picture:
        """The run as it is now.

        Raises:
            ConfigError, DiskError: as `Inspector.look`.
        """
        condition, run = self._inspector.look(), self._inspector.run
        events = last_events(run)
        now = time.monotonic()
        if self._for != (condition.state, condition.step) or now - self._looked_up_at >= LOOK_UP_S:
            self._for, self._looked_up_at = (condition.state, condition.step), now
            self._checkpoint = last_checkpoint(run)
            self._continued_by = None if condition.alive else _successor(run)
            self._adapters = None if condition.alive else _adapters(run, condition, events)
        return Picture(
            run,
            self._inspector.record,
            self._as_it_is_now(condition, events),
            latest(events),
            self._checkpoint,
            self._continued_by,
            self._adapters,
            self._bad_lines.count(self._most_bytes),
            any(event.get("event") == "checkpoint" for event in events),
        )

    def _as_it_is_now(self, condition: Condition, events: Sequence[Record]) -> Condition:
        """With the step of its newest event, which is newer than its heartbeat, and the way on that there is now."""
        steps = [int(number(event, "global_step") or 0) for event in events if event.get("event") == "log"]
        step = max(condition.step, *steps[-1:]) if steps else condition.step
        cause = condition.cause
        if cause is not None and condition.recorded:
            checkpoint = None if self._checkpoint is None else visible(str(self._checkpoint.path))
            cause = told_anew(cause, reference(self._inspector.run), checkpoint)
        return replace(condition, step=step, cause=cause)


def _watch(look: Callable[[], Picture], *, as_json: bool) -> int:
    show = _print_json() if as_json else (_draw() if can_draw() else _print_changes())
    while True:
        picture = look()
        show(picture)
        if not picture.condition.alive:
            code = picture.condition.exit_code
            return code if code is not None else ExitCode.INTERNAL
        time.sleep(POLL_S)


def _print_json() -> Callable[[Picture], None]:
    """A line of JSON for every change."""
    before = ""

    def show(picture: Picture) -> None:
        nonlocal before
        key = "\n".join(lines(picture, None, watching=True))
        if key != before:
            out_json(_json(picture))
        before = key

    return show


def _print_changes() -> Callable[[Picture], None]:
    """The lines that were not there at the look before."""
    before: list[str] = []

    def show(picture: Picture) -> None:
        nonlocal before
        now = lines(picture, None, watching=True)
        for line in now:
            if line not in before:
                out(line)
        before = now

    return show


def _draw() -> Callable[[Picture], None]:
    """The lines, over those of the look before; only what changed is written."""
    before: list[str] = []
    size_before = shutil.get_terminal_size()

    def show(picture: Picture) -> None:
        nonlocal before, size_before
        size = shutil.get_terminal_size()
        if size != size_before:
            before, size_before = [], size  # where the old lines are now, nobody knows
        # A line less than the screen has: what scrolled away could not be drawn over.
        now = lines(picture, size.columns, watching=True)[: max(1, size.lines - 1)]
        if now == before:
            return
        drawn = [f"\x1b[{len(before)}A"] if before else []
        for old, new in zip_longest(before, now):
            drawn.append("\n" if new == old else f"\r{new or ''}\x1b[K\n")
        if len(now) < len(before):
            drawn.append(f"\x1b[{len(before) - len(now)}A")
        put("".join(drawn))
        before = now

    return show


def _rows(picture: Picture, *, watching: bool) -> list[tuple[str, str]]:
    condition, record = picture.condition, picture.record
    rows = [("state", state_line(condition, picture.news))]
    if condition.cause is not None:
        rows.append(("cause", condition.cause.message))
        if condition.cause.fix:
            rows.append(("what to do", condition.cause.fix))
    if condition.alive:
        rows.append(("processes", _processes(condition, record)))
        age = condition.heartbeat_age
        if age is not None and (not watching or age >= QUIET_S):
            rows.append(("heartbeat", f"{coarse(age)} ago" if age >= 1 else "just now"))
    if picture.adapters is not None:
        rows.append(("adapters", _adapters_words(picture.adapters)))
    if picture.checkpoint is not None:
        rows.append(("checkpoint", _checkpoint_words(picture.checkpoint, picture.run)))
    elif condition.state not in ("queued", "starting", "loading"):
        rows.append(("checkpoint", "gone" if picture.has_saved else "none yet" if condition.alive else "none"))
    if record.resumed_from is not None:
        rows.append(("goes on from", record.resumed_from))
    if picture.continued_by is not None:
        rows.append(("goes on in", picture.continued_by))
    if condition.note:
        rows.append(("damaged", condition.note))
    if picture.bad_lines:
        rows.append(("damaged", f"{bad_lines_words(picture.bad_lines)}."))
    age = seconds_since(record.created)
    if age is not None and not watching:
        what = f"{record.profile} ({record.family}, {record.mode})"
        rows.append(("started", f"{coarse(age)} ago from profile {what}"))
    rows.append(("folder", shown_path(picture.run.path)))
    return rows


def _processes(condition: Condition, record: RunRecord) -> str:
    supervisor, trainer = condition.pids.supervisor, condition.pids.trainer
    if condition.elsewhere:
        pids = _pids(("trainer", trainer), ("supervisor", supervisor))
        known = f"{pids} on {record.host}" if pids else f"on {record.host}"
        return f"{known}; from here only the heartbeat tells whether they live"
    if condition.training:
        assert trainer is not None
        if condition.supervised:
            return _pids(("trainer", trainer), ("supervisor", supervisor))
        if supervisor is None:
            return f"trainer {trainer.pid}, started without a supervisor"
        return (
            f"trainer {trainer.pid}; its supervisor {supervisor.pid} is gone. Training goes on, and save, stop and "
            "abort work as before"
        )
    if condition.supervised:
        assert supervisor is not None
        if trainer is None:
            return f"supervisor {supervisor.pid}, which is starting the trainer"
        return f"supervisor {supervisor.pid}; trainer {trainer.pid} has ended, and its end is being written down"
    return "none yet"


def _pids(*named: tuple[str, ProcessId | None]) -> str:
    return ", ".join(f"{name} {process.pid}" for name, process in named if process is not None)


def _checkpoint_words(checkpoint: Checkpoint, run: RunDirectory) -> str:
    of = "" if checkpoint.run_id == run.run_id else f" of {checkpoint.run_id}"
    return f"step {checkpoint.step:,}{of}, {shown_path(checkpoint.path)}"


def _adapters_words(adapters: Adapters) -> str:
    if adapters.path is not None:
        return shown_path(adapters.path)
    whose = "" if adapters.others is None else f", which has those of {adapters.others} now"
    return f"gone from {shown_path(adapters.folder)}{whose}"


def _adapters(run: RunDirectory, condition: Condition, events: Sequence[Record]) -> Adapters | None:
    """Where the adapters are; None where there is no sign that it has saved any."""
    saved = saved_adapters(run)
    told = any(event.get("event") == "train_end" and event.get("best_model_dir") for event in events)
    if saved is None or (saved.path is None and condition.state != "finished" and not told):
        return None
    return saved


def _successor(run: RunDirectory) -> str | None:
    try:
        later = successor(run)
    except DiskError:
        return None
    return None if later is None else later.run_id


def _wrapped(label: str, text: str, width: int | None, *, break_words: bool) -> list[str]:
    head = f"  {label:<{_LABEL_COLUMNS}}  "
    if width is None or width < len(head) + 20:
        return [head + text]
    parts = textwrap.wrap(text, width - len(head), break_on_hyphens=False, break_long_words=break_words) or [""]
    return [head + parts[0], *(" " * len(head) + part for part in parts[1:])]


def _width() -> int | None:
    return shutil.get_terminal_size().columns if can_draw() else None


def _json(picture: Picture) -> str:
    record, condition, checkpoint = picture.record, picture.condition, picture.checkpoint
    facts: dict[str, object] = {
        "run_id": picture.run.run_id,
        "path": str(picture.run.path),
        "profile": record.profile,
        "created": record.created,
        "host": record.host,
        "resumed_from": record.resumed_from,
        "continued_by": picture.continued_by,
        "adapters": None if picture.adapters is None or picture.adapters.path is None else str(picture.adapters.path),
        "unreadable_lines": picture.bad_lines,
        "status": _recorded(picture.run),
        "condition": {
            **msgspec.to_builtins(condition),
            "checkpoint": None
            if checkpoint is None
            else {"step": checkpoint.step, "path": str(checkpoint.path), "run_id": checkpoint.run_id},
        },
    }
    return redact(msgspec.json.encode(facts).decode("utf-8"))


def _recorded(run: RunDirectory) -> object:
    """The run's own `status.json` as it stands; None if it has none."""
    try:
        return msgspec.json.decode(run.status_json.read_bytes())
    except (OSError, ValueError):
        return None
