"""Real runs of the demo profile through the real command line, cut down to a few steps."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.inspect import inspect
from tests.inft_tui.programs import COMMAND

STEPS = 9
PROFILE = "demo_aya"
SETTINGS = (
    "basic.sample_rows=0",
    "data.eval_fraction=none",
    "basic.hardware_interval_sec=1",
    "data.languages=en",
    "data.num_workers=0",
    "data.batch_size=1",
    "lora.r=8",
    f"sft.max_steps={STEPS}",
    "sft.logging_steps=1",
    "sft.save_steps=3",
)
HEADLESS = ("--headless", "--profile", PROFILE, *(part for setting in SETTINGS for part in ("--set", setting)))

LONGEST_S = 90.0
"""For the libraries to load and the steps to be done on a busy machine."""


@dataclass(frozen=True)
class Outcome:
    """What a run computed.

    Attributes:
        losses: by step.
        adapters: the final ones, by name.
        kinds: what its log holds, in order, progress of stages left out.
    """

    losses: dict[int, float]
    adapters: dict[str, Any]
    kinds: list[str]


@dataclass(frozen=True)
class Project:
    """A project of a test's own."""

    root: Path

    @property
    def adapters(self) -> Path:
        return self.root / "outputs" / PROFILE / "best"

    @property
    def checkpoints(self) -> Path:
        return self.root / "outputs" / PROFILE / "checkpoints"

    def command(self, *arguments: str, timeout_s: float = LONGEST_S) -> subprocess.CompletedProcess[str]:
        """`inft-tui ARGUMENTS`, over pipes."""
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=timeout_s, check=False
        )

    def start(self, *settings: str) -> RunDirectory:
        """A run that is left to itself."""
        done = self.command(*HEADLESS, *(part for setting in settings for part in ("--set", setting)), "--detach")
        assert done.returncode == 0, done.stderr
        return RunDirectory(self.root / "logs" / done.stdout.split()[-1])

    def only_run(self) -> RunDirectory:
        """The run of this project, once it has one."""
        runs: list[Path] = []

        def has_one() -> bool:
            runs[:] = [path.parent for path in self.root.glob("logs/*/run.json")]
            return bool(runs)

        wait_until(has_one)
        (path,) = runs
        return RunDirectory(path)

    def status(self, run: RunDirectory) -> dict[str, Any]:
        """What `inft-tui status` says, as JSON."""
        done = self.command("status", run.run_id, "--json")
        assert done.returncode == 0, done.stderr
        condition: dict[str, Any] = json.loads(done.stdout)["condition"]
        return condition

    def outcome(self, *runs: RunDirectory) -> Outcome:
        """What the last of these runs, each of which continues the one before, has come to."""
        events = [event for run in runs for event in events_of(run)]
        losses = {event["global_step"]: event["loss"] for event in events if event["event"] == "log"}
        kinds = [event["event"] for event in events if event["event"] not in ("stage", "alert")]
        return Outcome(losses, load_file(self.adapters / "adapter_model.safetensors"), kinds)


def events_of(run: RunDirectory) -> list[dict[str, Any]]:
    """Every line of its log, each of which must be JSON."""
    return [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]


def wait_until(condition: Callable[[], bool], timeout_s: float = LONGEST_S) -> None:
    """Returns when `condition` holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def wait_for_step(run: RunDirectory, step: int) -> None:
    """Returns when the log holds the figures of `step`."""
    wait_until(lambda: f'"global_step":{step},' in run.metrics.read_text(encoding="utf-8"))


def wait_for_end(run: RunDirectory) -> Condition:
    """How the run ended, by whoever looks at it."""
    wait_until(lambda: not inspect(run).alive)
    return inspect(run)


def pid_of(run: RunDirectory, part: str) -> int:
    """The number of its `supervisor` or its `trainer`."""
    process = vars(inspect(run).pids)[part]
    assert process is not None
    assert isinstance(process.pid, int)
    return process.pid


def is_gone(pid: int) -> bool:
    """Whether a process has ended, collected or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return stat.rpartition(b") ")[2][:1] in (b"Z", b"X")


def session_of(leader: int) -> list[int]:
    """The processes of a session."""
    members = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                if os.getsid(int(path.name)) == leader:
                    members.append(int(path.name))
            except ProcessLookupError:
                continue
    return members
