"""What is due, on a clock of our own."""

from __future__ import annotations

import pytest

from inft.params import BasicParams
from inft.runs.control import Request
from inft.runs.escalation import Deed, Escalation, Patience

PATIENCE = Patience(ask=60, terminate=600, abort=2)
NOTHING: frozenset[Request] = frozenset()
STOP: frozenset[Request] = frozenset({"stop"})
ABORT: frozenset[Request] = frozenset({"abort"})


def deeds(escalation: Escalation, requests: frozenset[Request], end: int, *, told: bool = False) -> dict[int, Deed]:
    """What is due in each of the seconds from 0 to `end`, where anything is."""
    found = {second: escalation.due(float(second), requests, told=told) for second in range(end + 1)}
    return {second: deed for second, deed in found.items() if deed is not None}


def test_nothing_is_done_unasked() -> None:
    escalation = Escalation(PATIENCE)
    assert deeds(escalation, NOTHING, 5000) == {}
    assert deeds(escalation, frozenset({"save"}), 5000) == {}
    assert (escalation.killed_for, escalation.aborting) == (None, False)


def test_stop_is_asked_then_sigterm_then_sigkill_each_once() -> None:
    escalation = Escalation(PATIENCE)
    assert deeds(escalation, STOP, 5000) == {60: "terminate", 660: "kill"}
    assert escalation.killed_for == "stop"


def test_after_its_last_word_a_trainer_has_half_a_minute_to_go() -> None:
    escalation = Escalation(PATIENCE)
    assert escalation.due(0.0, NOTHING, told=False) is None
    ended = [escalation.due(float(second), NOTHING, told=False, ended=True) for second in range(100, 200)]
    assert [second for second, deed in enumerate(ended) if deed == "kill"] == [30]
    assert (escalation.killed_for, set(ended)) == (None, {None, "kill"})


def test_a_signal_is_passed_on_at_once() -> None:
    escalation = Escalation(PATIENCE)
    assert deeds(escalation, NOTHING, 5000, told=True) == {0: "terminate", 600: "kill"}
    assert escalation.killed_for == "stop"


def test_a_signal_after_a_request_does_not_wait_for_it() -> None:
    escalation = Escalation(PATIENCE)
    assert escalation.due(0, STOP, told=False) is None
    assert escalation.due(1, STOP, told=True) == "terminate"
    assert escalation.due(61, STOP, told=True) is None
    assert escalation.due(601, STOP, told=True) == "kill"


@pytest.mark.parametrize("requests", [ABORT, ABORT | STOP, ABORT | {"save"}])
def test_abort_goes_straight_to_sigkill(requests: frozenset[Request]) -> None:
    escalation = Escalation(PATIENCE)
    assert deeds(escalation, requests, 5000) == {2: "kill"}
    assert (escalation.killed_for, escalation.aborting) == ("abort", True)


def test_abort_overtakes_a_stop_under_way() -> None:
    escalation = Escalation(PATIENCE)
    assert escalation.due(0, STOP, told=True) == "terminate"
    assert escalation.due(1, STOP | ABORT, told=True) is None
    assert escalation.due(3, STOP | ABORT, told=True) == "kill"
    assert escalation.killed_for == "abort"


def test_a_request_stays_in_force_when_its_file_goes() -> None:
    # The trainer takes the file away as it honours the request, and may hang after that.
    escalation = Escalation(PATIENCE)
    assert escalation.due(0, STOP, told=False) is None
    assert escalation.due(60, NOTHING, told=False) == "terminate"
    assert escalation.due(660, NOTHING, told=False) == "kill"


def test_late_looks_lose_nothing() -> None:
    # A machine that was asleep: everything is overdue at once, and still comes in order.
    escalation = Escalation(PATIENCE)
    assert escalation.due(0, STOP, told=False) is None
    assert escalation.due(10_000, STOP, told=False) == "terminate"
    assert escalation.due(10_001, STOP, told=False) is None
    assert escalation.due(10_600, STOP, told=False) == "kill"


def test_the_defaults_are_those_of_the_parameters() -> None:
    assert (Patience().ask, Patience().terminate) == (BasicParams().stop_ask_sec, BasicParams().stop_term_sec)
