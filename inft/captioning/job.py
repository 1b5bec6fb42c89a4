"""What a file of predictions is the result of, written beside it, so that no other job goes on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inft.errors import ConfigError
from inft.runs.files import replace_file
from inft.runs.jsonl import Record
from inft.runs.records import unreadable

SCHEMA_VERSION = 1

FIXED = ("batch_size", "hold_dequantized")
"""Chosen for the machine when the file is begun, and kept to: a caption may depend on them in its last bits."""

LONGEST_VALUE = 40  # characters, in a message

OF_NO_ACCOUNT = ("model", "base_name", "base_commit")
"""The same weights may be called by several names, and fetched from several places."""


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        facts: everything that its captions follow from, as JSON: `model` (as it was called), `run_id`, `base`,
            `adapters` (a digest), `split`, `languages`, `settings`, `precision`, `prompt`, `corpus` (a digest), `rows`
            (the numbers of each language's rows).
        batch_size: rows generated at a time.
        hold_dequantized: whether the values of 4-bit weights are held, see `inft.models.dequantized`.
    """

    facts: Record
    batch_size: int
    hold_dequantized: bool

    def write(self, path: Path) -> None:
        """Puts it where `read_job` finds it.

        Raises:
            DiskError: it could not be written.
        """
        record = {
            "schema_version": SCHEMA_VERSION,
            **self.facts,
            "batch_size": self.batch_size,
            "hold_dequantized": self.hold_dequantized,
        }
        replace_file(path, msgspec.json.encode(record) + b"\n", durable=True)


def job_path(predictions: Path) -> Path:
    """Where the job of a file of predictions stands."""
    return predictions.with_name(f"{predictions.name}.job.json")


def read_job(predictions: Path) -> Job | None:
    """The job that a file of predictions is of; None if nothing says.

    Raises:
        ConfigError: what says it is damaged, or a newer version of ours wrote it.
        DiskError: it cannot be read.
    """
    path = job_path(predictions)
    try:
        record = json.loads(path.read_bytes())
        version = record.pop("schema_version")
        batch_size, hold = (record.pop(name) for name in FIXED)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(error, path) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is damaged.", "Begin the file anew with --force, or name another --output."
        ) from error
    if version != SCHEMA_VERSION:
        raise ConfigError(f"{path} was written by another version of inft.", "Name another --output.")
    return Job(record, batch_size, hold)


def check_same(before: Job, now: Record, predictions: Path) -> None:
    """Refuses to go on with the file of another job.

    Raises:
        ConfigError: it says in what the two differ.
    """
    plain = json.loads(json.dumps(now))
    for name, value in plain.items():
        if name in OF_NO_ACCOUNT or before.facts.get(name) == value:
            continue
        where, old, new = _first_difference(name, before.facts.get(name), value)
        raise ConfigError(
            f"{predictions} was begun by another job: its {where} is {_said(old)}, and this one's is {_said(new)}.",
            "Name another --output, or begin the file anew with --force.",
        )


def _first_difference(name: str, old: object, new: object) -> tuple[str, object, object]:
    """Where two unequal values differ.

    >>> _first_difference("settings", {"a": 1, "b": 2}, {"a": 1, "b": 3})
    ('settings.b', 2, 3)
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *new):
            if old.get(key) != new.get(key):
                return _first_difference(f"{name}.{key}", old.get(key), new.get(key))
    return name, old, new


def _said(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} ..."
