from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fault_campaign.kinds import KINDS, Ask, Fault, Moment, Signal, draw

FAULTS = 6


@pytest.mark.slow
def test_a_short_campaign_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--faults", str(FAULTS), "--seed", "2025", "--jobs", "2"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["faults"] + report["skipped"] == FAULTS
    assert report["resumed"] > 0
    found = ("lines_lost", "wrongly_reported", "checkpoints_lost", "curves_off", "orphans", "others", "broken")
    assert {name: report[name] for name in found} == dict.fromkeys(found, 0)
    assert list(tmp_path.glob("inft-faults-*")) == []


def test_a_seed_draws_the_same_fault_again_and_another_draws_others() -> None:
    assert draw("1-5") == draw("1-5")
    assert len({repr(draw(f"1-{number}")) for number in range(100)}) == 100


def test_every_kind_of_fault_is_drawn() -> None:
    assert {draw(f"1-{number}").kind for number in range(300)} == set(KINDS)


def test_a_fault_knows_what_it_may_lead_to() -> None:
    start = Moment("start", 0, 0.0)
    harmless = Fault("", "", ((start, Signal(("supervisor", "follower"), signal.SIGKILL)), (start, Ask("save"))))
    assert harmless.may_end_as == {"finished"}
    assert not harmless.kills_trainer
    killed = Fault("", "", ((start, Signal(("trainer",), signal.SIGKILL)),))
    assert killed.may_end_as == {"finished", "failed"}
    assert killed.kills_trainer
    assert Fault("", "", ((start, Signal(("supervisor",), signal.SIGTERM)),)).may_end_as == {"finished", "stopped"}
