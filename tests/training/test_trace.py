"""The profiler's trace of one step, of a real run."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState

from inft.runs.directory import RunDirectory
from inft.trainer import run_to_end
from inft.training.meter import StepMeter
from inft.training.report import RunReport
from inft.training.trace import StepTrace
from tests.training.runs import Home, events_of


@pytest.mark.slow
def test_the_step_asked_for_is_recorded_whole(home: Home) -> None:
    run = home.create("demo_aya", "sft.max_steps=2", "sft.profile_step=2", "sft.gradient_accumulation_steps=2")
    assert run_to_end(run) == 0
    with gzip.open(run.path / "trace-step-2.json.gz", "rt") as file:
        names = [event.get("name", "") for event in json.load(file)["traceEvents"]]
    backwards = "autograd::engine::evaluate_function: MmBackward0"
    assert {"aten::mm", backwards} <= set(names)
    # Both micro-batches, words and patches of each; and the optimiser.
    assert names.count("aten::embedding") == 4
    assert any("Optimizer.step" in name for name in names)
    (told,) = (event for event in events_of(run, "alert") if event["kind"] == "trace")
    assert told["level"] == "info"
    assert str(run.path / "trace-step-2.json.gz") in told["message"]
    last = events_of(run, "log")[-1]
    parts = sum(last[f"{part}_sec"] for part in ("data", "forward", "backward", "optimizer"))
    assert 0.5 * last["step_time_sec"] < parts, "what the profiler itself takes is counted as the step's"


class TestNoTrace:
    def test_a_step_that_never_comes(self, home: Home) -> None:
        run = home.create("demo_aya")
        state, control = TrainerState(global_step=3, max_steps=3), TrainerControl()
        report = RunReport(run)
        trace = StepTrace(9, run, report, StepMeter())
        trace.on_step_begin(None, state, control)  # type: ignore[arg-type]
        trace.on_step_end(None, state, control)  # type: ignore[arg-type]
        trace.on_train_end(None, state, control)  # type: ignore[arg-type]
        report.close()
        (told,) = events_of(run, "alert")
        assert told["level"] == "warning"
        assert "step 9 was not done in this run" in told["message"]
        assert "up to 3" in told["fix"]

    def test_a_disk_without_room_is_no_reason_to_end(self, home: Home, tmp_path: Path) -> None:
        run = home.create("demo_aya")
        report = RunReport(run)
        gone = RunDirectory(tmp_path / "gone")
        trace = StepTrace(1, gone, report, StepMeter())
        state, control = TrainerState(global_step=0, max_steps=3), TrainerControl()
        trace.on_step_begin(None, state, control)  # type: ignore[arg-type]
        state.global_step = 1
        trace.on_step_end(None, state, control)  # type: ignore[arg-type]
        trace.on_train_end(None, state, control)  # type: ignore[arg-type]
        report.close()
        (told,) = events_of(run, "alert")
        assert (told["level"], "No such file" in told["message"]) == ("warning", True)
