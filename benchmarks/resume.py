"""Whether a killed run goes on as if nothing had happened: `python -m benchmarks.resume --profile demo_aya`.

    python -m benchmarks.resume --profile P --steps 12 --save-every 5 --kill-at 8 --scratch DIR [--set key=value ...]

Trains once without interruption, and once more to see how far two such runs differ by themselves; then a third time,
kills that trainer with SIGKILL, and lets `inft-tui resume` go on. Prints one JSON line: the largest difference of a
loss after the checkpoint and of a final adapter weight, for the repetition and for the resumed run; how long a
checkpoint takes and how large it is; seconds from `resume` to its first step.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from inft.profiles import resolve

POLL_SEC = 0.02


class Arm:
    """One of the runs that are compared, with folders of its own."""

    def __init__(self, options: argparse.Namespace, name: str) -> None:
        config = resolve(options.profile, options.set).config
        self.folder = options.scratch.resolve() / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.checkpoints, self.adapters = self.folder / "checkpoints", self.folder / "best"
        self._profile = options.profile
        self._settings = [
            *options.set,
            f"sft.max_steps={options.steps}",
            f"sft.save_steps={options.save_every}",
            "sft.logging_steps=1",
            f"basic.logs_dir={self.folder / 'logs'}",
            f"{config.output_dir_key}={self.checkpoints}",
            f"{config.best_model_dir_key}={self.adapters}",
        ]

    def start(self) -> Path:
        """Starts the run and leaves it to itself; gives its directory."""
        told = inft_tui("--headless", "--profile", self._profile, "--detach", *(f"--set={it}" for it in self._settings))
        return self.folder / "logs" / told.split()[-1]

    def resume(self, run: Path) -> Path:
        """The same for the run that continues `run`."""
        return self.folder / "logs" / inft_tui("resume", str(run), "--detach").split()[-1]


def inft_tui(*arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "inft_tui", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def status(run: Path) -> dict[str, Any]:
    """What the run says of itself."""
    found: dict[str, Any] = json.loads((run / "status.json").read_bytes())
    return found


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """Its events of one kind, whole lines only."""
    lines = (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def wait_for(run: Path, met: Callable[[], bool]) -> None:
    """Returns when `met` is true, and gives up when the run has failed before."""
    while not met():
        if status(run)["state"] == "failed":
            raise SystemExit(f"{run.name} failed: {status(run)['cause']}")
        time.sleep(POLL_SEC)


def finish(run: Path) -> Path:
    """Waits for the end of a run."""
    wait_for(run, lambda: status(run)["state"] == "finished")
    return run


def kill_at(run: Path, step: int) -> None:
    """Kills the trainer once it has logged that step."""
    wait_for(run, lambda: any(event["global_step"] >= step for event in events(run, "log")))
    os.kill(status(run)["pids"]["trainer"]["pid"], signal.SIGKILL)
    while status(run)["state"] != "failed":
        time.sleep(POLL_SEC)


def losses(run: Path) -> dict[int, float]:
    """Loss by step."""
    return {event["global_step"]: event["loss"] for event in events(run, "log")}


def loss_difference(whole: dict[int, float], other: dict[int, float], after: int) -> float:
    """The largest difference over the steps behind `after`, all of which `other` must have."""
    return max(abs(loss - other[step]) for step, loss in whole.items() if step > after)


def weight_difference(whole: Path, other: Path) -> float:
    """The largest difference of an adapter weight."""
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (whole, other))
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)


def checkpoint_seconds(run: Path) -> float:
    """The longest time from the word that a checkpoint is being saved to the word that it is there."""
    began, longest = None, 0.0
    for event in (json.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()):
        if event["event"] == "stage" and event["name"] == "saving" and event["done"] == 0:
            began = datetime.fromisoformat(event["ts"])
        if event["event"] == "checkpoint" and began is not None:
            longest = max(longest, (datetime.fromisoformat(event["ts"]) - began).total_seconds())
    return longest


def measure(options: argparse.Namespace) -> dict[str, object]:
    """All runs and their comparison."""
    whole, again, killed = (Arm(options, name) for name in ("whole", "again", "killed"))
    reference = finish(whole.start())
    repeated = finish(again.start())
    victim = killed.start()
    kill_at(victim, options.kill_at)
    kept = max(event["global_step"] for event in events(victim, "checkpoint"))
    size = sum(path.stat().st_size for path in (killed.checkpoints / f"checkpoint-{kept}").rglob("*"))
    began = time.perf_counter()
    resumed = killed.resume(victim)
    wait_for(resumed, lambda: bool(events(resumed, "log")))
    first_step = time.perf_counter() - began
    finish(resumed)
    return {
        "benchmark": "resume",
        "profile": options.profile,
        "set": options.set,
        "steps": options.steps,
        "killed_after_step": max(losses(victim)),
        "resumed_from_step": kept,
        "loss_difference": {
            "repeated": loss_difference(losses(reference), losses(repeated), kept),
            "resumed": loss_difference(losses(reference), losses(resumed), kept),
        },
        "weight_difference": {
            "repeated": weight_difference(whole.adapters, again.adapters),
            "resumed": weight_difference(whole.adapters, killed.adapters),
        },
        "losses": {"whole": losses(reference), "resumed": losses(resumed)},
        "checkpoint_sec": round(checkpoint_seconds(reference), 2),
        "checkpoint_mib": round(size / 2**20, 1),
        "resume_to_first_step_sec": round(first_step, 1),
    }


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="demo_aya")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--save-every", type=int, default=5)
    parser.add_argument("--kill-at", type=int, help="step; default: drawn at random behind the first checkpoint")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args(arguments)
    if options.kill_at is None:
        options.kill_at = random.randint(options.save_every, options.steps - 1)
    return options


if __name__ == "__main__":
    print(json.dumps(measure(parse(sys.argv[1:]))))
