"""What a file of predictions is the result of, written beside it, so that no other job goes on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inft.errors import ConfigError, disk_error
from inft.runs.files import replace_file
from inft.runs.jsonl import Record
from inft.runs.records import unreadable

SCHEMA_VERSION = 1

FIXED = ("batch_size", "hold_dequantized")
"""Chosen for the machine when the file is begun, and kept to: a caption may depend on them in its last bits."""

LONGEST_VALUE = 40  # characters, in a message

NAMES = {
    "run_id": "run",
    "base": "base (by its weights)",
    "adapters": "adapters' checksum",
    "corpus": "corpus's checksum",
    "settings.max_new_tokens": "basic.gen_max_new_tokens",
    "settings.num_beams": "basic.gen_num_beams",
    "settings.temperature": "basic.gen_temperature",
    "settings.top_p": "basic.gen_top_p",
    "settings.seed": "--seed",
    "settings.do_sample": "--sample",
    "precision.compute": "compute dtype",
    "precision.adapters": "lora.adapter_dtype",
}
"""What a person calls that in which two jobs differ."""

OF_NO_ACCOUNT = ("model", "base_name", "base_commit")
"""The same weights may be called by several names, and fetched from several places."""


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        facts: everything that its captions follow from, as JSON: `model` (as it was called), `run_id`, `base`,
            `adapters` (a digest), `split`, `languages`, `settings`, `precision`, `prompt`, `corpus` (a digest), `rows`
            (the numbers of each language's rows).
        batch_size: rows of a batch.
        at_most: usable rows of one that are generated at once, where the memory has turned out to have room for no
            more; None = all.
        hold_dequantized: whether the values of 4-bit weights are held, see `inft.models.dequantized`.
    """

    facts: Record
    batch_size: int
    hold_dequantized: bool
    at_most: int | None = None

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
            "at_most": self.at_most,
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
        at_most = record.pop("at_most", None)
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
    return Job(record, batch_size, hold, at_most)


def forget_job(predictions: Path) -> None:
    """Deletes what a file of predictions is the result of.

    Raises:
        DiskError: it cannot be.
    """
    path = job_path(predictions)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


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
            f"{predictions} was begun by another job: {_difference(where, old, new)}.",
            "Name another --output, or begin the file anew with --force, which deletes what is in it.",
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


def _difference(where: str, old: object, new: object) -> str:
    r"""In what two jobs differ.

    >>> _difference("rows.en", [0, 1, 2], [0])
    'it is of 3 rows of en, and this one of 1'
    >>> _difference("rows.en", [0, 1], [0, 7])
    'it is of other rows of en than this one'
    >>> _difference("split", "train", "test")
    'its split is "train", and this one\'s is "test"'
    """
    table, _, language = where.partition(".")
    if table == "rows" and isinstance(old, list) and isinstance(new, list):
        if len(old) == len(new):
            return f"it is of other rows of {language} than this one"
        return f"it is of {len(old):,} row{'' if len(old) == 1 else 's'} of {language}, and this one of {len(new):,}"
    return f"its {NAMES.get(where, where)} is {_said(old)}, and this one's is {_said(new)}"


def _said(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} ..."
