from __future__ import annotations

import pytest

from inft.runs.condition import Condition
from inft_tui.possible import why_not

GOES_ON = Condition("training", alive=True, supervised=True)
ENDED = Condition("finished", alive=False, supervised=False)
ASKED = ("save", "stop", "abort", "resume")


@pytest.mark.parametrize(
    ("condition", "foreign", "said"),
    [
        (GOES_ON, False, {"resume": "aya-1 is still going on"}),
        (ENDED, False, dict.fromkeys(("save", "stop", "abort"), "aya-1 has ended: it is finished.")),
        (None, True, dict.fromkeys(ASKED, "another program")),
        (None, False, {}),
    ],
)
def test_only_what_can_be_done_is_asked(condition: Condition | None, foreign: bool, said: dict[str, str]) -> None:
    for request in (*ASKED, "panel"):
        reason = why_not(request, "aya-1", condition, foreign=foreign)
        assert bool(reason) == (request in said)
        assert said.get(request, "") in reason
