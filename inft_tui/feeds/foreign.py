"""Logs of training that other programs wrote, as the events that ours would have written.

Known by their keys: lines of a transformers or trl Trainer's `log_history`, its `trainer_state.json`, LLaMA-Factory's
`trainer_log.jsonl`, and any JSON lines with a step or a loss.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from inft.errors import ConfigError
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlReader, Record, strict
from inft.runs.narrate import number
from inft.runs.records import unreadable
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.feeds.curves import EVAL_PREFIX, STEP, Curves, Mark
from inft_tui.feeds.facts import Events, RunFacts
from inft_tui.feeds.fetching import Chain, Fetched, Progress
from inft_tui.feeds.run_feed import Feed, RunFeed, Sight, Slice, read_on

FOREIGN = "foreign"
STATE_FILE = "trainer_state.json"

_STEP_KEYS = (STEP, "step", "steps", "current_steps", "iteration", "iter", "_step", "train/global_step")
_TOTAL_KEYS = ("max_steps", "total_steps")
_RENAMED = {"lr": "learning_rate", "train_loss": "loss", "val_loss": "eval_loss", "valid_loss": "eval_loss"}
_LOSSES = ("loss", "train_loss", "eval_loss", "val_loss", "train/loss", "eval/loss")
_CLOSING = "train_runtime"  # only a Trainer's last line has it, with means over the whole run
_LOOKED_AT_LINES = 50
_MOST_STATE_BYTES = 64 << 20


class Translator:
    """Turns the records of one file, in their order, into events."""

    def __init__(self) -> None:
        self._count = 0
        self._begun = False

    def event(self, record: Record) -> list[Record]:
        """What `record` says as events; none if it is about no step."""
        if "event" in record:
            return [record]
        if _CLOSING in record:
            return [{"event": "train_end", "state": "finished", STEP: _first(record, _STEP_KEYS) or self._count}]
        step = _first(record, _STEP_KEYS)
        evaluated = any(key.startswith((EVAL_PREFIX, "eval/")) for key in record)
        if step is None:
            if not any(key in record for key in _LOSSES):
                return []
            self._count += not evaluated  # lines without a number: the first is 1
            step = self._count
        self._count = int(step)
        events: list[Record] = []
        total = _first(record, _TOTAL_KEYS)
        if total is not None and not self._begun:
            self._begun = True
            events.append({"event": "train_begin", "max_steps": total})
        figures = {_renamed(key): value for key, value in record.items() if key not in (*_STEP_KEYS, *_TOTAL_KEYS)}
        events.append({**figures, "event": "eval" if evaluated else "log", STEP: step})
        return events


class ForeignFeed:
    """A training log of another program as a run with what there is.

    Args:
        path: the file; JSON lines, or a `trainer_state.json`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chain = Chain(lambda: [path])
        self._state_seen: tuple[int, int] | None = None
        self._state_problem = ""
        # Above what a worker thread uses, below what the screen's does.
        self._problem = ""
        self._facts: RunFacts | None = None
        self._begin()

    @property
    def series(self) -> Mapping[str, Series]:
        """Curves by name; x = steps."""
        return self._curves.series

    @property
    def axes(self) -> Mapping[str, Series]:
        """`epoch` and `elapsed_sec` over the steps, where the file has them."""
        return self._curves.axes

    @property
    def marks(self) -> Sequence[Mark]:
        """Evaluations, and places where the file begins again at an earlier step."""
        return self._curves.marks

    @property
    def facts(self) -> RunFacts:
        """What the file tells; the same object as long as nothing of it has changed."""
        if self._facts is None:
            self._facts = self._events.facts(self._path.name, FOREIGN, None, "", self._problem)
        return self._facts

    def fetch(self, budget_s: float) -> Slice:
        """Reads on for about `budget_s` seconds; changes nothing that is shown, and may run in another thread."""
        fetched = self._fetch_state() if self._path.name == STATE_FILE else self._chain.fetch(budget_s)
        return Slice(fetched, Sight(FOREIGN))

    def take(self, piece: Slice) -> Progress:
        """Adds what was fetched, in the order of fetching; reads nothing."""
        fetched = piece.fetched
        if fetched.restarted:
            self._begin()
        events = [event for record in fetched.records for event in self._translator.event(record)]
        changed = self._curves.take(events)
        self._events.take(events)
        problem = fetched.problem
        self._skipped += fetched.skipped
        if not problem and not self._curves.series and self._skipped:
            problem = no_log(self._path)
        if events or problem != self._problem:
            self._problem = problem
            self._facts = None
        return Progress(fetched.done, fetched.bytes_left, frozenset(changed), fetched.restarted)

    def read(self, budget_s: float) -> Progress:
        """Fetches and takes, for who has one thread."""
        return read_on(self, budget_s)

    def close(self) -> None:
        """Lets go of the file."""
        self._chain.close()

    def _begin(self) -> None:
        self._curves, self._events, self._translator = Curves(), Events(), Translator()
        self._skipped = 0
        self._facts = None

    def _fetch_state(self) -> Fetched:
        """A Trainer's state, which is replaced as a whole with every checkpoint."""
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns)
            if seen == self._state_seen:
                return Fetched(problem=self._state_problem)
            self._state_seen = seen
            history = read_state(self._path)
        except OSError as error:
            return Fetched(problem=unreadable(error, visible(str(self._path))).message)
        self._state_problem = no_log(self._path) if history is None else ""
        return Fetched(tuple(history or ()), restarted=True, problem=self._state_problem)


def no_log(path: Path) -> str:
    """Says that a file is none that could be shown."""
    return f"{visible(str(path))} holds no training log that could be read."


def open_feed(path: Path, *, lineage: bool = False) -> Feed:
    """The feed for a run's folder, for another program's folder, or for a file of JSON lines.

    Raises:
        ConfigError: there is nothing that could be shown.
        DiskError: it cannot be read.
    """
    run = RunDirectory(path)
    if is_run(path):
        return RunFeed(run, lineage=lineage)
    found = find_log(path)
    if found is None:
        what = "is empty" if path.is_dir() and not any(path.iterdir()) else "holds no training log"
        raise ConfigError(
            f"{visible(str(path))} {what}.",
            f"Name the folder of a run, a file of JSON lines with steps and losses, or a {STATE_FILE}.",
        )
    return ForeignFeed(found)


def is_run(path: Path) -> bool:
    """Whether a folder is a run's, or what is left of one."""
    run = RunDirectory(path)
    return any(map(os.path.lexists, (run.run_json, run.status_json, run.config_toml)))


def find_log(path: Path) -> Path | None:
    """The training log that `path` is or holds; the newest of several. None if there is none.

    Raises:
        DiskError: the folder cannot be read.
    """
    try:
        if not path.is_dir():
            return path if path.exists() and is_log(path) else None
        candidates = [entry for entry in path.iterdir() if entry.suffix == ".jsonl" and entry.is_file()]
        candidates += [*path.glob(STATE_FILE), *path.glob(f"checkpoint-*/{STATE_FILE}")]
        # Lines grow while a run lasts, a state is a checkpoint old: of the two kinds, the first.
        candidates.sort(key=lambda entry: (entry.suffix == ".jsonl", entry.stat().st_mtime_ns), reverse=True)
    except OSError as error:
        raise unreadable(error, visible(str(path))) from error
    return next((entry for entry in candidates if is_log(entry)), None)


def is_log(path: Path) -> bool:
    """Whether a file's beginning looks like a training log."""
    try:
        if path.name == STATE_FILE:
            return read_state(path) is not None
        with JsonlReader(path) as reader:
            records = [line.record for line in reader.read().lines[:_LOOKED_AT_LINES]]
    except OSError:
        return False
    translator = Translator()
    events = [event for record in records for event in translator.event(record)]
    return any(event["event"] in ("log", "eval") and number(event, STEP) is not None for event in events)


def read_state(path: Path) -> list[Record] | None:
    """The log in a `trainer_state.json`; None if it holds none.

    Raises:
        OSError: it cannot be read.
    """
    if path.stat().st_size > _MOST_STATE_BYTES:
        return None
    try:
        state = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        return None
    records = [strict(record) for record in history if isinstance(record, dict)]
    total = number(state, "max_steps")
    return records if total is None else [{"event": "train_begin", "max_steps": total}, *records]


def _first(record: Record, keys: Sequence[str]) -> float | None:
    for key in keys:
        value = number(record, key)
        if value is not None and math.isfinite(value):
            return value
    return None


def _renamed(key: str) -> str:
    """A key as ours would be called."""
    if key.startswith("eval/"):
        return EVAL_PREFIX + key.removeprefix("eval/")
    key = key.removeprefix("train/")
    return _RENAMED.get(key, key)
