"""Reading `run.json`: where a run came from."""

from __future__ import annotations

import msgspec

from inft.errors import ConfigError, DiskError
from inft.runs.directory import SCHEMA_VERSION, RunDirectory, RunRecord
from inft.runs.visible import visible


class _Version(msgspec.Struct):
    """The part of a record that every version of ours has."""

    schema_version: int


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_VERSION = msgspec.json.Decoder(_Version)
_RECORD = msgspec.json.Decoder(RunRecord)


def read_record(run: RunDirectory) -> RunRecord:
    """The content of the run's `run.json`.

    Raises:
        ConfigError: the folder is no run's, its record is damaged, or a newer version of ours wrote it.
        DiskError: the record is there and this user may not read it.
    """
    try:
        content = run.run_json.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{visible(str(run.path))} is no run's folder: it has no {run.run_json.name}.",
            "`inft-tui runs` lists the runs.",
        ) from None
    except OSError as error:
        raise unreadable(error, run.run_json) from error
    try:
        version = _VERSION.decode(content).schema_version
    except ValueError as error:
        raise _damaged(run, error) from error
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{visible(str(run.path))} was written by a newer inft: its files have version {version}, and this one "
            f"reads up to {SCHEMA_VERSION}.",
            "Update inft here.",
        )
    try:
        return _RECORD.decode(content)
    except ValueError as error:
        raise _damaged(run, error) from error


def unreadable(error: OSError, where: object) -> DiskError:
    """The `DiskError` for a file that is there and cannot be read."""
    reason = (error.strerror or str(error)).lower()
    return DiskError(
        f"Could not read {visible(str(where))}: {reason}.", "Ask its owner for access, or look at it as that user."
    )


def _damaged(run: RunDirectory, error: ValueError) -> ConfigError:
    return ConfigError(
        f"{visible(str(run.run_json))} is damaged: {visible(str(error))}.",
        "Its metrics.jsonl and console.log can still be read by hand.",
    )
