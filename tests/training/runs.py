"""Short real runs on tiny checkpoints, in this process or in one of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inft.profiles import resolve, to_toml
from inft.runs.checkpoints import Checkpoint
from inft.runs.directory import Origin, RunDirectory, create_run
from inft.runs.status import Status, read_status
from tests.training.nursery import Forked, Nursery

REPOSITORY = Path(__file__).resolve().parents[2]

SHORT = (
    "data.num_workers=0",
    "data.languages=en,si",
    "data.batch_size=2",
    "data.article_chars=40",
    "sft.max_steps=3",
    "sft.logging_steps=1",
    "basic.sample_rows=0",
    "basic.eval_captions=0",
    "data.eval_fraction=none",
    "sft.load_best_model_at_end=true",
    "lora.r=8",
)
"""Settings that make a demo profile a matter of seconds; it evaluates where a test asks for that."""


@dataclass(frozen=True)
class Home:
    """A project root and a cache of a test's own."""

    root: Path
    cache: Path
    nursery: Nursery = field(default_factory=Nursery)

    @property
    def environment(self) -> dict[str, str]:
        own = {"INFT_HOME": str(self.root), "INFT_CACHE": str(self.cache), "HF_HUB_OFFLINE": "1"}
        return {**os.environ, **own}

    def create(self, profile: str, *settings: str) -> RunDirectory:
        """A run directory that is ready to be run; `INFT_HOME` must be this home."""
        config = resolve(profile, [*SHORT, *settings]).config
        return create_run(config, to_toml(config), argv=["test"])

    def resume(self, run: RunDirectory, checkpoint: Checkpoint, *settings: str, forced: bool = False) -> RunDirectory:
        """A run directory that continues `run` from one of its checkpoints."""
        config = resolve(str(run.config_toml), settings).config
        return create_run(
            config, to_toml(config), argv=["test"], origin=Origin(run.run_id, checkpoint.path, forced=forced)
        )

    def trainer(self, run: RunDirectory, *, prelude: str = "") -> subprocess.Popen[bytes]:
        """The trainer's own process, its output in `console.log`, as it is launched for real.

        Args:
            run: what to run.
            prelude: Python statements that go first, for a limit or a fault.
        """
        with run.console_log.open("ab") as console:
            return subprocess.Popen(
                [sys.executable, "-c", _program(run, prelude)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.root,
                start_new_session=True,
            )

    def fork(self, run: RunDirectory, *, prelude: str = "") -> Forked:
        """As `trainer`, and spared the seconds in which the libraries are loaded, for what is not about these."""
        with run.console_log.open("ab") as console:
            return self.nursery.start(_program(run, prelude), self.environment, self.root, console.fileno())


def _program(run: RunDirectory, prelude: str) -> str:
    arguments = ["inft.trainer", str(run.path)]
    return f"{prelude}\nimport sys\nsys.argv = {arguments!r}\nfrom inft.trainer import main\nsys.exit(main())\n"


def events_of(run: RunDirectory, kind: str | None = None) -> list[dict[str, Any]]:
    """The run's events, each line strict JSON; of one kind, or all."""
    events = [json.loads(line, parse_constant=_refuse) for line in run.metrics.read_text().splitlines()]
    return [event for event in events if kind in (None, event["event"])]


def status_of(run: RunDirectory) -> Status:
    """What the run says of itself."""
    status = read_status(run.status_json)
    assert status is not None
    return status


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes] | Forked) -> None:
    """Waits until `condition` holds; the process must live until then."""
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, "the trainer ended early"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def announced_steps(seconds: float) -> str:
    """Statements by which every optimiser step is said on stdout and takes this much longer."""
    return (
        "import time, inft.training.callbacks as c\n"
        "step_end = c.TrainerLoggingCallback.on_step_end\n"
        "def announced(*a, **k):\n"
        f"    print('a step is done'); time.sleep({seconds}); return step_end(*a, **k)\n"
        "c.TrainerLoggingCallback.on_step_end = announced\n"
    )
