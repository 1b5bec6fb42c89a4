"""One optimiser step as torch's profiler sees it: every operation of the processor, every kernel of the GPU."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.training.meter import StepMeter
from inft.training.report import RunReport


def step_trace(step: int | None, run: RunDirectory, report: RunReport, meter: StepMeter) -> list[TrainerCallback]:
    """The callback that records the step that `sft.profile_step` names, if it names one."""
    return [] if step is None else [StepTrace(step, run, report, meter)]


class StepTrace(TrainerCallback):
    """Writes the trace of one step into the run directory; that step is slower than others.

    Args:
        step: which, counted from 1 as in the log.
        run: whose directory it is.
        report: is told where the trace is, or why there is none.
        meter: leaves out of its figures what starting and writing take.
    """

    def __init__(self, step: int, run: RunDirectory, report: RunReport, meter: StepMeter) -> None:
        self._step = step
        self._path = run.trace(step)
        self._report = report
        self._meter = meter
        self._profiler: profile | None = None
        self._told = False

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The batches are here."""
        if state.global_step + 1 != self._step:
            return
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self._meter.begin("rest")
        began = time.perf_counter()
        self._profiler = profile(activities=activities, record_shapes=True)
        self._profiler.start()
        self._meter.pause(time.perf_counter() - began)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A step is done."""
        if self._profiler is None:
            return
        began = time.perf_counter()
        self._profiler.stop()
        try:
            self._profiler.export_chrome_trace(str(self._path))
        except OSError as error:
            self._path.unlink(missing_ok=True)
            self._warn(f"The trace of step {self._step} could not be written to {self._path}: {error.strerror}.", "")
        else:
            self._tell(
                f"The trace of step {self._step} is in {self._path}; ui.perfetto.dev and chrome://tracing show it."
            )
        self._profiler = None
        self._meter.pause(time.perf_counter() - began)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Training is over."""
        if not self._told:
            self._warn(
                f"There is no trace: sft.profile_step is {self._step}, and step {self._step} was not done in this run.",
                f"Choose a step up to {state.max_steps} that the run does itself; a resumed one begins after its "
                "checkpoint's.",
            )

    def _tell(self, message: str) -> None:
        self._told = True
        self._report.event(events.alert(level="info", kind="trace", message=message, fix=""))

    def _warn(self, message: str, fix: str) -> None:
        self._told = True
        self._report.event(events.alert(level="warning", kind="trace", message=message, fix=fix))
