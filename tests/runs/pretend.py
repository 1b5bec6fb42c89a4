"""Makes what a run would have left behind, without running anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from inft.config import Config
from inft.machine.processes import ProcessId, process_of
from inft.profiles import load_config, to_toml
from inft.runs.checkpoints import Checkpoint, commit, staging_folder
from inft.runs.directory import Origin, RunDirectory, create_run
from inft.runs.saved import checkpoint_folder
from inft.runs.status import Pids, Status, StatusFile


def new_run(config: Config, at: str, *, origin: Origin | None = None) -> RunDirectory:
    """A run that was made at `at`, as `2025-03-01 12:00:00`."""
    moment = datetime.fromisoformat(f"{at}+00:00")
    return create_run(config, to_toml(config), argv=["inft-tui"], origin=origin, at=moment)


def write_status(run: RunDirectory, status: Status, **changes: object) -> None:
    """Its status; `changes` are made to the file's own keys, for what no writer of ours would write now."""
    StatusFile(run.status_json).write(status)
    content = json.loads(run.status_json.read_bytes())
    content.update(changes)
    run.status_json.write_bytes(json.dumps(content).encode())


def change_record(run: RunDirectory, **changes: object) -> None:
    """Changes keys of its `run.json`."""
    record: dict[str, Any] = json.loads(run.run_json.read_bytes())
    record.update(changes)
    run.run_json.write_bytes(json.dumps(record).encode())


def move_to_another_machine(run: RunDirectory, host: str) -> None:
    """As if it had been started there."""
    change_record(run, host=host, boot_id="00000000-0000-0000-0000-000000000000")


def damage(checkpoint: Checkpoint) -> None:
    """Changes a byte and leaves the size, as a disk may that lost its power."""
    path = checkpoint.path / "adapter_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])


def write_events(run: RunDirectory, *events: dict[str, object]) -> None:
    """Appends to its metrics."""
    with run.metrics.open("ab") as file:
        for event in events:
            file.write(msgspec.json.encode(event) + b"\n")


def save_checkpoint(run: RunDirectory, step: int, folder: Path | None = None) -> Checkpoint:
    """A complete checkpoint of `run`, in `folder` or where its configuration says."""
    output_dir = folder or checkpoint_folder(run, load_config(run.config_toml))
    staged = staging_folder(output_dir, run.run_id) / f"checkpoint-{step}"
    staged.mkdir(parents=True)
    (staged / "adapter_model.safetensors").write_bytes(os.urandom(100))
    return commit(staged, output_dir / f"checkpoint-{step}", run_id=run.run_id, step=step)


def start_sleeper() -> tuple[subprocess.Popen[bytes], ProcessId]:
    """A process that lives until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    identity = process_of(process.pid)
    assert identity is not None
    return process, identity


def dead_process() -> ProcessId:
    """A process that was, and was collected."""
    process, identity = start_sleeper()
    process.kill()
    process.wait()
    return identity


def working(trainer: ProcessId, supervisor: ProcessId | None = None, *, step: int = 40, of: int = 120) -> Status:
    """The status of a run that trains."""
    return Status("training", Pids(supervisor, trainer), step=step, max_steps=of)
