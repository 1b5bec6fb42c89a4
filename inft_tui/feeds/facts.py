"""What a run's directory says about it besides its curves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inft.runs.condition import Condition
from inft.runs.jsonl import Record
from inft.runs.narrate import narrate, number, text
from inft.runs.redact import redact
from inft.runs.status import Cause
from inft.runs.visible import visible
from inft_tui.words import PACE_LINES, latest, seconds_left

MOST_LINES = 50
"""Of the log's newest lines in words: a screen of them."""
MOST_SAMPLES = 200
MOST_ALERTS = 100


@dataclass(frozen=True, slots=True)
class AlertLine:
    """Something that a run told a person. All text is safe to show."""

    ts: str
    level: str
    kind: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A caption of the model beside the corpus's own. All text is safe to show.

    Attributes:
        step: optimiser steps done; None = before any.
        image: where the picture lies; empty if it is no file.
    """

    step: float | None
    language: str
    reference: str
    caption: str
    image: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as it is now, as far as that is read.

    Attributes:
        run_id: its name.
        state: one of `inft.runs.status.RunState`; `damaged` or `unreadable` where that cannot be told, `foreign` of
            another program's log.
        condition: the whole of what is known of its processes; None where that cannot be told.
        step: optimiser steps done.
        max_steps: optimiser steps in all; None = not known.
        first_step: where it began; above 0 it continues another run.
        created: when its directory was made, ISO 8601; empty = not known.
        started: when its training began; empty = not yet.
        cause: why it stopped or failed.
        eta_s: seconds that training still takes at its latest pace; None = cannot be told.
        samples_per_sec: of the newest log line.
        loss: of the newest log line as text, `not finite` included; empty = none yet.
        stage: the newest stage in words, for instance of loading.
        alerts: what it told a person, the newest last.
        lines: its newest events in words.
        samples: its newest captions, the newest last.
        problem: a sentence where something cannot be read; empty = all is well.
        bad_lines: how many lines of its events could not be read; where it has no cause, `problem` says that too.
    """

    run_id: str
    state: str
    condition: Condition | None = None
    step: int = 0
    max_steps: int | None = None
    first_step: int = 0
    created: str = ""
    started: str = ""
    cause: Cause | None = None
    eta_s: float | None = None
    samples_per_sec: float | None = None
    loss: str = ""
    stage: str = ""
    alerts: tuple[AlertLine, ...] = ()
    lines: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    problem: str = ""
    bad_lines: int = 0


class Events:
    """What the events of a run tell, kept as far as a screen shows it."""

    def __init__(self) -> None:
        self.max_steps: int | None = None
        self.first_step = 0
        self.last_step = 0
        self.started = ""
        self._newest: deque[str | Record] = deque(maxlen=MOST_LINES)  # put into words when somebody asks
        self._logs: deque[Record] = deque(maxlen=PACE_LINES)
        self._stage: Record | None = None
        self._alerts: deque[AlertLine] = deque(maxlen=MOST_ALERTS)
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)

    def take(self, records: Sequence[Record]) -> None:
        """Takes in further events."""
        self._newest.extend(records[-MOST_LINES:])
        for record in records:
            event = record.get("event")
            if event != "log":
                self._apply(event, record)
        self._logs.extend(_newest_logs(records))
        if self._logs:
            self.last_step = max(self.last_step, int(number(self._logs[-1], "global_step") or 0))

    def facts(self, run_id: str, state: str, condition: Condition | None, created: str, problem: str) -> RunFacts:
        """These events and the run's condition as one."""
        news = latest([*self._logs, *([self._stage] if self._stage is not None else [])])
        max_steps = self.max_steps
        step = self.last_step
        if condition is not None:
            max_steps = condition.max_steps if condition.max_steps is not None else max_steps
            step = max(step, condition.step)
        return RunFacts(
            run_id=visible(run_id),
            state=state,
            condition=condition,
            step=step,
            max_steps=max_steps,
            first_step=self.first_step,
            created=created,
            started=self.started,
            cause=None if condition is None else condition.cause,
            eta_s=None if condition is None or not condition.alive else seconds_left(condition, news),
            samples_per_sec=news.samples_per_sec,
            loss=news.loss,
            stage=news.stage,
            alerts=tuple(self._alerts),
            lines=self._lines(),
            samples=tuple(self._samples),
            problem=problem,
        )

    def _lines(self) -> tuple[str, ...]:
        for place, line in enumerate(self._newest):
            if not isinstance(line, str):
                self._newest[place] = narrate(line, self.max_steps)
        return tuple(str(line) for line in self._newest)

    def _apply(self, event: object, record: Record) -> None:
        match event:
            case "stage":
                self._stage = record
            case "train_begin":
                steps, begun = number(record, "max_steps"), number(record, "global_step") or 0.0
                self.max_steps = None if steps is None else int(steps)
                self.first_step = self.last_step = int(begun)
                self.started = visible(text(record, "ts"))
                self._logs.clear()  # lines of a run before it say nothing about this one's pace
            case "alert":
                self._alerts.append(AlertLine(*_texts(record, "ts", "level", "kind", "message", "fix")))
            case "sample":
                words = _texts(record, "language", "reference_caption", "generated_caption", "image")
                self._samples.append(Sample(number(record, "global_step"), *words))
            case "train_end":
                self.last_step = max(self.last_step, int(number(record, "global_step") or 0))
            case _:
                pass


def _newest_logs(records: Sequence[Record]) -> Iterable[Record]:
    """The last log lines, of the last training that begins among `records`."""
    found: list[Record] = []
    for record in reversed(records):
        if record.get("event") == "log":
            found.append(record)
            if len(found) == PACE_LINES:
                break
        elif record.get("event") == "train_begin":
            break
    return reversed(found)


def _texts(record: Record, *keys: str) -> list[str]:
    return [visible(redact(text(record, key))) for key in keys]
