"""The oracle of the fault campaign: what a run left behind, compared with what must be true."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.fault_campaign.kinds import Fault
from inft.errors import InftError
from inft.runs.checkpoints import Checkpoint, complete_checkpoints, incomplete_checkpoints, verify
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory


@dataclass
class Told:
    """What a run's trainer told, outside of everything that a fault can spoil.

    Attributes:
        trainer: the number of its process; None = it was never started.
        lines: checksums of the events that it wrote, by its own word.
        events: what these events were.
        saves: how often it began to save.
        exit_code: what it ended with; None = it ended without a word.
        operations: how many changes to file systems it made.
    """

    trainer: int | None = None
    lines: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    saves: int = 0
    exit_code: int | None = None
    operations: dict[str, int] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """One line of what it tells."""
        match line.split():
            case ["P", pid]:
                self.trainer = int(pid)
            case ["L", checksum, event]:
                self.lines.append(int(checksum))
                self.events.append(event)
            case ["S"]:
                self.saves += 1
            case ["O", every, renames]:
                self.operations = {"all": int(every), "renames": int(renames)}
            case ["E", code]:
                self.exit_code = int(code)
            case _:
                raise AssertionError(f"Nobody tells {line!r}.")


@dataclass
class Findings:
    """What was found wrong, each with a sentence.

    Attributes:
        lines_lost: events that the trainer reported written and that are not in the log.
        wrongly_reported: what `inspect` said and was not so.
        checkpoints_lost: checkpoints that were announced and are not whole.
        curves_off: losses, or final weights, that differ from the undisturbed run's.
        orphans: processes that outlived their run, and locks that did.
        others: anything else, such as a request that was not heard.
    """

    lines_lost: list[str] = field(default_factory=list)
    wrongly_reported: list[str] = field(default_factory=list)
    checkpoints_lost: list[str] = field(default_factory=list)
    curves_off: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def events_of(run: RunDirectory) -> list[dict[str, Any]]:
    """The events that are in a run's log, by another parser than the one that is tested."""
    return [event for _, event in _objects(run)]


def check_lines(run: RunDirectory, told: Told, findings: Findings) -> None:
    """Every line that was reported written is in the log, as often as reported."""
    there = Counter(checksum for checksum, _ in _objects(run))
    missing = Counter(told.lines) - there
    findings.lines_lost += [
        f"{run.run_id}: an event with checksum {checksum} is not there" for checksum in missing.elements()
    ]


def check_followed(run: RunDirectory, seen: Sequence[int], findings: Findings) -> None:
    """Who followed the run saw every line once, in order."""
    there = [checksum for checksum, _ in _objects(run)]
    if list(seen) != there:
        findings.lines_lost.append(f"{run.run_id}: its follower saw {len(seen)} lines, and the log has {len(there)}")


def check_end(run: RunDirectory, fault: Fault, told: Told, condition: Condition, findings: Findings) -> None:
    """What is said of an ended run is what happened to it."""
    wrong = findings.wrongly_reported
    name = f"{run.run_id} ({condition.state}, {condition.cause})"
    ends = [event["state"] for event in events_of(run) if event["event"] == "train_end"]
    if condition.alive or condition.exit_code is None:
        wrong.append(f"{name} is said to go on")
        return
    may_end_as = fault.may_end_as | ({"failed"} if told.trainer is None and fault.kills_supervisor else set())
    if condition.state not in may_end_as:
        wrong.append(f"{name} can only have ended as {sorted(may_end_as)}")
    if condition.state != "finished" and (condition.cause is None or condition.cause.kind == "internal"):
        wrong.append(f"{name} does not say why")
    if told.exit_code is not None:
        expected = {0: "finished", 130: "stopped"}.get(told.exit_code, "failed")
        unwritable = fault.spoils_disk and expected == "failed"
        if condition.state != expected or (condition.exit_code != told.exit_code and not unwritable):
            wrong.append(f"{name} ended with {told.exit_code}")
        if told.exit_code == 7 and not fault.spoils_disk:
            wrong.append(f"{name} blames the disk")
        if told.exit_code not in (0, 7, 130):
            wrong.append(f"{name} ended with {told.exit_code}, which nothing here leads to")
    elif told.trainer is not None:
        if not (fault.kills_trainer or (condition.cause is not None and condition.cause.kind == "stopped")):
            wrong.append(f"{name} ended without a word, and nobody had killed it")
        if condition.state == "finished" and ends != ["finished"]:
            wrong.append(f"{name} was killed before its end")
    if condition.state in ("finished", "stopped") and condition.recorded and len(ends) > 1:
        wrong.append(f"{name} has {len(ends)} ends in its log")


def check_checkpoints(
    runs: Iterable[RunDirectory], output_dir: Path, keep: int, findings: Findings, *, damaged: Path | None
) -> None:
    """The newest of the checkpoints that were announced are whole and can be loaded."""
    lost = findings.checkpoints_lost
    whole = {(found.run_id, found.step): found for found in complete_checkpoints(output_dir)}
    announced = {
        (run.run_id, event["global_step"]) for run in runs for event in events_of(run) if event["event"] == "checkpoint"
    }
    # A run that was killed right after a rename had no time to announce that checkpoint; older ones may be gone for it.
    newest = sorted(announced | set(whole), key=lambda key: key[1])[-keep:]
    for key in newest:
        if key not in whole and damaged is None:
            lost.append(f"checkpoint {key} was announced and is not whole")
    for found in whole.values():
        try:
            verify(found)
            load(found)
        except (InftError, OSError, ValueError, RuntimeError) as error:
            if damaged is None or found.path.name != damaged.name:
                lost.append(f"{found.path} cannot be loaded: {error}")
    for path in incomplete_checkpoints(output_dir):
        if damaged is None or path.name != damaged.name:
            lost.append(f"{path} is not whole and has a checkpoint's name")


def load(checkpoint: Checkpoint) -> None:
    """Reads a checkpoint as transformers would.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged.
        RuntimeError: a file is damaged.
    """
    state = json.loads((checkpoint.path / "trainer_state.json").read_text())
    if state["global_step"] != checkpoint.step:
        raise ValueError(f"it is of step {state['global_step']}")
    load_file(checkpoint.path / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt"):
        torch.load(checkpoint.path / name, weights_only=True)


def check_stop(run: RunDirectory, output_dir: Path, findings: Findings) -> None:
    """A run that was stopped while training has a checkpoint of its last step."""
    events = events_of(run)
    ends = [event for event in events if event["event"] == "train_end"]
    begun = any(event["event"] == "train_begin" for event in events)
    aborted = any(event["event"] == "alert" and event["kind"] == "abort" for event in events)
    if not ends or ends[-1]["state"] != "stopped" or ends[-1].get("best_model_dir") is None or not begun or aborted:
        return
    step = ends[-1]["global_step"]
    if step not in [found.step for found in complete_checkpoints(output_dir)]:
        findings.checkpoints_lost.append(f"{run.run_id} was stopped at step {step}, of which there is no checkpoint")


def curve(run: RunDirectory) -> dict[int, tuple[float, ...]]:
    """The figures of every logged step that depend on nothing but the training."""
    return {
        event["global_step"]: tuple(event[name] for name in ("loss", "learning_rate", "grad_norm", "epoch"))
        for event in events_of(run)
        if event["event"] == "log" and "global_step" in event
    }


def check_curve(run: RunDirectory, reference: dict[int, tuple[float, ...]], findings: Findings) -> None:
    """Every regular log line holds exactly the undisturbed run's figures."""
    for step, figures in curve(run).items():
        if step in reference and figures != reference[step]:
            findings.curves_off.append(f"{run.run_id}: step {step} has {figures}, and should have {reference[step]}")


def _objects(run: RunDirectory) -> list[tuple[int, dict[str, Any]]]:
    found = []
    for line in run.metrics.read_bytes().split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event and event["event"] != "foreign":
            found.append((zlib.crc32(line), event))
    return found
