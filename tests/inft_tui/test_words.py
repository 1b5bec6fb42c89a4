from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from inft.runs import events
from inft.runs.condition import Condition
from inft.runs.jsonl import Record, strict
from inft_tui.words import Latest, latest, seconds_since, state_line

TRAINING = Condition("training", alive=True, supervised=True, training=True, step=40, max_steps=120)


def log(step: int, **figures: Any) -> Record:
    return events.log(global_step=step, **figures)


def test_training_in_words() -> None:
    news = latest(
        [
            log(20, loss=3.5, elapsed_sec=100.0),
            log(30, loss=3.25, elapsed_sec=190.0),
            log(40, loss=3.1, elapsed_sec=280.0, samples_per_sec=0.93),
        ]
    )
    assert state_line(TRAINING, news) == "training, step 40 of 120, 0.93 samples/s, loss 3.1, about 12 min left"


def test_the_pace_is_that_of_the_newest_lines() -> None:
    slow = [log(step, elapsed_sec=step * 100.0) for step in range(1, 11)]
    fast = [log(step, elapsed_sec=1000.0 + step) for step in range(11, 21)]
    assert latest(slow + fast).sec_per_step == pytest.approx(1.0)


def test_one_line_tells_a_pace_if_it_says_so() -> None:
    assert latest([log(10, step_time_sec=2.5)]).sec_per_step == 2.5
    assert latest([log(10)]).sec_per_step is None
    assert latest([]) == Latest()


def test_a_loss_that_is_no_number() -> None:
    assert latest([strict(log(10, loss=math.nan))]).loss == "not finite"
    assert latest([log(10)]).loss == ""


@pytest.mark.parametrize(
    ("changes", "news", "line"),
    [
        ({"state": "queued"}, Latest(), "queued"),
        (
            {"state": "loading"},
            Latest(stage="loading weights: 3 of 4 shards"),
            "loading (loading weights: 3 of 4 shards)",
        ),
        ({"state": "evaluating"}, Latest(sec_per_step=1.0), "evaluating, step 40 of 120"),
        ({"step": 0, "max_steps": None}, Latest(), "training"),
        ({"max_steps": None}, Latest(sec_per_step=1.0), "training, step 40"),
        (
            {"stalled_sec": 700.0},
            Latest("3.1"),
            "training, step 40 of 120, loss 3.1, no sign of progress for 11 min 40 s",
        ),
        ({"alive": False, "state": "stopped"}, Latest("3.1"), "stopped after step 40 of 120, loss 3.1"),
        ({"alive": False, "state": "failed", "step": 0, "max_steps": None}, Latest(), "failed"),
    ],
)
def test_other_states_in_words(changes: dict[str, Any], news: Latest, line: str) -> None:
    assert state_line(replace(TRAINING, **changes), news) == line


def test_events_with_nonsense_in_them_do_no_harm() -> None:
    nonsense: list[Record] = [
        {"event": "log", "loss": "x", "global_step": [], "elapsed_sec": {}},
        {"event": "stage"},
        {},
    ]
    assert latest(nonsense).loss == ""


@pytest.mark.parametrize("moment", ["", "yesterday", "2025-03-01T12:00:00"])
def test_no_age_of_no_moment(moment: str) -> None:
    assert seconds_since(moment) is None
    assert seconds_since("2999-01-01T00:00:00.000Z") == 0
