"""What is news of a run that is watched."""

from __future__ import annotations

from dataclasses import replace

from inft.runs.condition import Condition
from inft_tui.feeds.facts import RunFacts
from inft_tui.watched import tell_the_same


def test_a_stall_that_lasts_a_second_longer_is_no_news() -> None:
    def stalled(seconds: float) -> RunFacts:
        return RunFacts("aya-1", "training", Condition("training", True, True, stalled_sec=seconds))

    assert tell_the_same(stalled(601), stalled(602))
    assert not tell_the_same(stalled(601), stalled(660))
    assert not tell_the_same(stalled(601), replace(stalled(601), step=1))
    assert not tell_the_same(stalled(601), None)
