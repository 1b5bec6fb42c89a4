"""What stands above and below the charts."""

from __future__ import annotations

import pytest

from inft.runs.condition import Condition
from inft.runs.status import Cause
from inft_tui.charts.series import Series
from inft_tui.display.spans import Line, width
from inft_tui.feeds.facts import AlertLine, RunFacts, Sample
from inft_tui.monitor.below import PANELS, below
from inft_tui.monitor.heading import heading

LIVE = Condition("training", alive=True, supervised=True, training=True, step=40, max_steps=120)
TRAINING = RunFacts(
    "aya-1", "training", LIVE, step=40, max_steps=120, eta_s=600, samples_per_sec=12.5, loss="1.25",
    lines=tuple(f"step {step}" for step in range(50)),
    alerts=(AlertLine("2025-03-01T12:34:56Z", "warning", "hot", "GPU 0 is at 90 °C.", "Look at its cooling."),),
    samples=(Sample(40, "en", "A true caption.", "A made one.", ""), Sample(40, "ja", "本物", "東京の街", "")),
)  # fmt: skip


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def times(**seconds: float) -> dict[str, Series]:
    found = {}
    for name, value in seconds.items():
        found[name] = Series(name)
        found[name].extend(range(20), [9.0] * 5 + [value] * 15)
    return found


def test_a_run_that_trains() -> None:
    series = times(step_time_sec=2.0, data_sec=0.5, compute_sec=1.4)
    state, progress, pace, alert = text(heading(TRAINING, series, 160, "braille")).splitlines()
    assert state == " ● training  aya-1"
    assert progress == " " + "━" * 13 + "─" * 27 + "  33%   step 40 of 120   about 10 min left"
    where = "2 s a step: 25% waiting for data, 70% computing"
    assert pace.split("   ") == [" loss 1.25", "12.5 samples/s", where, "(mean of the last 10)"]
    series |= times(forward_sec=0.4, backward_sec=0.9, optimizer_sec=0.1, mfu=0.414)
    lines = {columns: text(heading(TRAINING, series, columns, "braille")).splitlines()[2] for columns in (160, 100)}
    in_full = "2 s a step: 25% waiting for data, 20% forward, 45% backward, 5% optimiser"
    assert lines[160].split("   ")[2:] == [in_full, "MFU 41%", "(mean of the last 10)"]
    assert lines[100].split("   ")[2:] == [where, "MFU 41%"]
    series |= times(samples_per_sec=8.0)
    assert "   8 samples/s   " in text(heading(TRAINING, series, 160, "braille"))
    assert alert == " ▲ GPU 0 is at 90 °C.  Look at its cooling."


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 160])
def test_nothing_but_what_fits(columns: int) -> None:
    lines = heading(TRAINING, times(step_time_sec=2.0, data_sec=0.5), columns, "ascii")
    assert all(width(line) <= columns for line in lines[:3])
    for panel in PANELS:
        assert len(below(TRAINING, panel, columns, 5)) == 5


def test_why_a_run_failed_is_said_in_full() -> None:
    cause = Cause("oom", "GPU memory ran out at step 12. " * 3, "Set sft.batch_size to 1, or take fewer tiles.")
    condition = Condition("failed", alive=False, supervised=False, cause=cause, step=12, max_steps=120)
    facts = RunFacts("aya-1", "failed", condition, step=12, max_steps=120, cause=cause)
    lines = text(heading(facts, {}, 80, "braille", 4))
    assert " ✗ failed  aya-1" in lines
    assert " ".join(lines.split()).count("ran out") == 3
    assert lines.endswith(" Set sft.batch_size to 1, or take fewer tiles.")


def test_a_run_that_cannot_be_read_says_so() -> None:
    facts = RunFacts("aya-1", "damaged", problem="run.json is no JSON.")
    assert text(heading(facts, {}, 80, "braille")).splitlines() == [" ▲ damaged  aya-1", " ▲ run.json is no JSON."]


def test_the_panels() -> None:
    assert text(below(TRAINING, "log", 80, 4)).splitlines()[1:] == [" step 47", " step 48", " step 49"]
    assert text(below(TRAINING, "log", 80, 4, back=2)).splitlines()[1:] == [" step 45", " step 46", " step 47"]
    assert text(below(TRAINING, "log", 80, 4, back=999)).splitlines()[1] == " step 0"
    captions = text(below(TRAINING, "captions", 80, 5)).splitlines()
    assert captions[0].startswith("── captions (2) ─")
    assert [line.split("  ", 1)[1].strip() for line in captions[1:3]] == ["A made one.", "corpus  A true caption."]
    assert "12:34:56 ▲ GPU 0" in text(below(TRAINING, "alerts", 80, 5))
    assert "Nothing to warn of." in text(below(RunFacts("x", "training"), "alerts", 80, 5))


def test_log_and_captions_stand_side_by_side_on_a_wide_terminal() -> None:
    lines = below(TRAINING, "log", 160, 6)
    assert "── log ─" in text(lines[:1])
    assert "── captions (2) ─" in text(lines[:1])
    assert "A made one." in text(lines)
    assert "step 49" in text(lines)
    assert all(width(line) <= 160 for line in lines)
