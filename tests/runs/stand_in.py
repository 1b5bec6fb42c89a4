"""A trainer without training, started as the real one is: `python -m tests.runs.stand_in RUN_DIRECTORY`.

The environment variable STAND_IN says what becomes of it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger
from inft.runs.status import Cause, Pids, Status, StatusFile, this_process

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
    """SIGTERM came."""


def main() -> int:
    behaviour = os.environ.get("STAND_IN", "finish")
    sys.stdout.write("a line for console.log: ශ්‍රී\n")
    if behaviour == "crash":
        raise RuntimeError("before the status exists")
    if behaviour == "silent":
        return 0
    run = RunDirectory(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, _stop)
    with JsonlLogger(run.metrics) as metrics:
        try:
            return _work(behaviour, metrics, StatusFile(run.status_json))
        except Stopped:
            cause = Cause("stopped", "Stopped on request.", "")
            StatusFile(run.status_json).write(Status("stopped", exit_code=130, cause=cause))
            return 130


def _work(behaviour: str, metrics: JsonlLogger, status: StatusFile) -> int:
    pids = Pids(trainer=this_process())
    status.write(Status("loading", pids))
    for name, unit in (("download", "bytes"), ("weights", "shards"), ("data", "rows")):
        for done in range(4):
            metrics.write(events.stage(name=name, done=done, total=3, unit=unit))
    if behaviour == "fail":
        told = {"message": "No row of split train can be used.", "fix": "Choose another split."}
        metrics.write(events.alert(level="error", kind="data", **told))
        status.write(Status("failed", pids, exit_code=6, cause=Cause("data", **told)))
        return 6
    metrics.write(events.alert(level="warning", kind="rows", message="Skipped 2 rows.", fix="See samples."))
    steps = 10_000 if behaviour == "slow" else STEPS
    metrics.write(
        events.train_begin(max_steps=steps, num_train_epochs=1, trainable_parameters=10, total_parameters=1000)
    )
    for step in range(1, steps + 1):
        time.sleep(0.02)
        if behaviour == "kill" and step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        status.write(Status("training", pids, step=step, max_steps=steps))
        loss = float("nan") if behaviour == "nan" and step == steps else 4.0 / step
        metrics.write(events.log(global_step=step, epoch=step / steps, loss=loss, samples_per_sec=12.5))
    metrics.write(events.checkpoint(step=steps, path="outputs/aya/basic/checkpoints/checkpoint-5"))
    metrics.write(events.stage(name="saving", done=1, total=1, unit="folders"))
    metrics.write(
        events.sample(language="si", reference_caption="ගුවන්\x1b[31m", generated_caption="රතු [bold]", image="a.jpg")
    )
    metrics.write(events.train_end(state="finished", global_step=steps, elapsed_sec=0.1))
    status.write(Status("finished", pids, step=steps, max_steps=steps, exit_code=0))
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
