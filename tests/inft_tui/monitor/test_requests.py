"""What can be asked of a run."""

from __future__ import annotations

import pytest

from inft.runs.condition import Condition
from inft_tui.feeds.facts import RunFacts
from inft_tui.monitor.requests import why_not

GOES_ON = RunFacts("aya-1", "training", Condition("training", alive=True, supervised=True))
ENDED = RunFacts("aya-1", "finished", Condition("finished", alive=False, supervised=False))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (GOES_ON, {"resume": "goes on already"}),
        (ENDED, dict.fromkeys(("save", "stop", "abort"), "has ended")),
        (RunFacts("log.jsonl", "foreign"), dict.fromkeys(("save", "stop", "abort", "resume"), "another program")),
        (RunFacts("aya-1", ""), {}),
    ],
)
def test_only_what_can_be_done_is_asked(facts: RunFacts, said: dict[str, str]) -> None:
    for request in ("save", "stop", "abort", "resume", "panel"):
        assert bool(why_not(request, facts)) == (request in said)
        assert said.get(request, "") in why_not(request, facts)
