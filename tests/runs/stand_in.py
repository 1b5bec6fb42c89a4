"""A trainer without training, started by the real supervisor: `python -m tests.runs.stand_in RUN_DIRECTORY`.

The environment variable STAND_IN says what becomes of it:

    finish     all goes well (the default)
    slow       10,000 steps; saves and stops when asked, as the real one does
    stubborn   the same, but deaf to SIGTERM and to requests; has a child that sleeps on
    linger     finishes, and then its process does not end
    fail       names its cause and fails
    nan        its last loss is not a number
    kill       is killed from outside in step 3
    segv       crashes in native code in step 3
    library    lacks a library, before it has a status
    crash      an exception, before it has a status
    silent     ends without a word
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from inft.runs import events
from inft.runs.control import done, pending
from inft.runs.directory import RunDirectory
from inft.runs.handover import take_over
from inft.runs.jsonl import JsonlLogger
from inft.runs.status import Cause, Pids, Status, StatusFile

MODULE = "tests.runs.stand_in"
STEPS = 5

PROFILE = """\
family = "aya"
mode = "basic"
description = "For tests"

[basic]
model_source = "tiny"

[sft]
lr = 1e-3

[data]
source = "demo"
"""


def write_project(root: Path) -> None:
    """A project's folder that `inft.project` recognises, with the profile `small`."""
    (root / "profiles").mkdir()
    (root / "profiles" / "small.toml").write_text(PROFILE, encoding="utf-8")


class Stopped(Exception):
    """SIGTERM came, or a request to stop."""


def main() -> int:
    behaviour = os.environ.get("STAND_IN", "finish")
    sys.stdout.write("a line for console.log: ශ්‍රී\n")
    if behaviour == "crash":
        raise RuntimeError("before the status exists")
    if behaviour == "library":
        importlib.import_module("no_such_library")
    if behaviour == "silent":
        return 0
    run = RunDirectory(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else _stop)
    pids = take_over(run)
    status = StatusFile(run.status_json)
    with JsonlLogger(run.metrics) as metrics:
        try:
            return _work(behaviour, run, metrics, status, pids)
        except Stopped:
            cause = Cause("stopped", "Stopped on request.", "")
            status.write(Status("stopped", pids, exit_code=130, cause=cause))
            done(run, "stop")
            return 130


def _work(behaviour: str, run: RunDirectory, metrics: JsonlLogger, status: StatusFile, pids: Pids) -> int:
    status.write(Status("loading", pids))
    for name, unit in (("download", "bytes"), ("weights", "shards"), ("data", "rows")):
        for count in range(4):
            metrics.write(events.stage(name=name, done=count, total=3, unit=unit))
    if behaviour == "fail":
        told = {"message": "No row of split train can be used.", "fix": "Choose another split."}
        metrics.write(events.alert(level="error", kind="data", **told))
        status.write(Status("failed", pids, exit_code=6, cause=Cause("data", **told)))
        return 6
    metrics.write(events.alert(level="warning", kind="rows", message="Skipped 2 rows.", fix="See samples."))
    endless = behaviour in ("slow", "stubborn")
    steps = 10_000 if endless else STEPS
    metrics.write(
        events.train_begin(max_steps=steps, num_train_epochs=1, trainable_parameters=10, total_parameters=1000)
    )
    if behaviour == "stubborn":
        child = subprocess.Popen(["sleep", "600"])
        sys.stdout.write(f"child {child.pid}\n")
    for step in range(1, steps + 1):
        time.sleep(0.02)
        if step == 3 and behaviour in _SIGNALS:
            os.kill(os.getpid(), _SIGNALS[behaviour])
        status.write(Status("training", pids, step=step, max_steps=steps))
        loss = float("nan") if behaviour == "nan" and step == steps else 4.0 / step
        metrics.write(events.log(global_step=step, epoch=step / steps, loss=loss, samples_per_sec=12.5))
        if behaviour != "stubborn":
            _honour_requests(run, metrics, status, pids, step)
    metrics.write(events.checkpoint(step=steps, path="outputs/aya/basic/checkpoints/checkpoint-5"))
    metrics.write(events.stage(name="saving", done=1, total=1, unit="folders"))
    metrics.write(
        events.sample(language="si", reference_caption="ගුවන්\x1b[31m", generated_caption="රතු [bold]", image="a.jpg")
    )
    metrics.write(events.train_end(state="finished", global_step=steps, elapsed_sec=0.1))
    status.write(Status("finished", pids, step=steps, max_steps=steps, exit_code=0))
    if behaviour == "linger":
        time.sleep(600)
    return 0


_SIGNALS = {"kill": signal.SIGKILL, "segv": signal.SIGSEGV}


def _honour_requests(run: RunDirectory, metrics: JsonlLogger, status: StatusFile, pids: Pids, step: int) -> None:
    requests = pending(run)
    if "abort" in requests:
        status.write(Status("stopped", pids, step=step, exit_code=130, cause=Cause("aborted", "Aborted.", "")))
        os.killpg(0, signal.SIGKILL)
    if "stop" in requests:
        raise Stopped
    if "save" in requests:
        metrics.write(events.checkpoint(step=step, path=f"outputs/aya/basic/checkpoints/checkpoint-{step}"))
        done(run, "save")


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
