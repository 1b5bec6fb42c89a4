"""Threads read the same kinds of files at once; msgspec must have seen their types before there are any."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import dataclasses
import inft.readiness.checks, inft.runs.plans, inft.runs.checkpoints
from inft.forecast.statistics import Statistics
from inft.machine.cards import Card, Cards, Holder
from inft.runs import checkpoints, control, locks, plans, records, status
types = (Card, Cards, Holder, Statistics, checkpoints.Manifest, control.Asker, locks._Content, plans.PlanRecord)
types += (records.RunRecord, records._Version, status.Status, status.Pids)
types = filter(dataclasses.is_dataclass, types)  # a Struct is known when it is made
print([kind.__name__ for kind in types if "__msgspec_cache__" not in vars(kind)])
"""
"""Where msgspec keeps what it knows of a dataclass; while two threads put it there at once, it crashes (0.22)."""


def test_types_are_known_as_soon_as_their_modules_are_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
