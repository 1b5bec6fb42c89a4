"""In which parameters runs differ, and in what else that may matter.

A run's `config.toml` is read as it stands: one that another version of ours wrote, with keys that this one does not
know, can still be compared.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from inft.errors import InftError
from inft.profiles import describe_fields
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.records import read_record, unreadable
from inft.runs.redact import redact
from inft.runs.visible import visible

_MOST_BYTES = 1 << 20
"""Ours have some 5 kB."""
_LEFT_OUT = frozenset({"description"})
"""It says in words what the other keys say."""


@dataclass(frozen=True)
class Stated:
    """What a run's files state about it.

    Attributes:
        values: its parameters by dotted key; None = it has none that could be read.
        record: where it came from; None = not known.
        problem: why its parameters cannot be told; empty if they can.
    """

    values: Mapping[str, object] | None = None
    record: RunRecord | None = None
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """A parameter whose values differ.

    Attributes:
        key: dotted.
        unit: of its values; empty = none.
        values: of each run, as text that is safe to show; None = it states none.
        shapes_curve: whether another value changes the losses.
    """

    key: str
    values: tuple[str | None, ...]
    unit: str = ""
    shapes_curve: bool = True


@dataclass(frozen=True)
class Comparison:
    """In what runs differ.

    Attributes:
        parameters: in the order of a profile.
        others: what else differs, each as words for each run.
        unknown: places of the runs whose parameters are not known.
    """

    parameters: tuple[Difference, ...] = ()
    others: tuple[Difference, ...] = ()
    unknown: tuple[int, ...] = field(default=())


def read_stated(run: RunDirectory) -> Stated:
    """Reads what the files of a run state."""
    try:
        record: RunRecord | None = read_record(run)
    except InftError:
        record = None
    try:
        with run.config_toml.open("rb") as file:
            content = file.read(_MOST_BYTES)
        return Stated(_flat(tomllib.loads(content.decode("utf-8"))), record)
    except (FileNotFoundError, NotADirectoryError):
        return Stated(None, record, f"has no {run.config_toml.name}")
    except OSError as error:
        return Stated(None, record, unreadable(error, run.config_toml.name).message)
    except (ValueError, RecursionError):
        return Stated(None, record, f"has a damaged {run.config_toml.name}")


def compare(runs: Sequence[Stated]) -> Comparison:
    """In what `runs` differ, as far as that is known of them."""
    unknown = tuple(place for place, run in enumerate(runs) if run.values is None)
    return Comparison(tuple(_parameters(runs)), tuple(_others(runs)), unknown)


def _parameters(runs: Sequence[Stated]) -> Iterator[Difference]:
    known = {info.key: info for info in describe_fields()}
    stated = {key: None for run in runs for key in run.values or ()}
    for key in [*(key for key in known if key in stated), *(key for key in stated if key not in known)]:
        given = [None if run.values is None else run.values.get(key, _Missing) for run in runs]
        distinct = [value for value, run in zip(given, runs, strict=True) if run.values is not None]
        if key in _LEFT_OUT or all(value == distinct[0] for value in distinct):
            continue
        info = known.get(key)
        yield Difference(
            visible(key),
            tuple(_texts(given, [run.values is not None for run in runs])),
            "" if info is None or info.unit == "path" else info.unit,
            info is None or info.shapes_curve,
        )


class _Missing:
    """Stands for a key that a run does not state."""


def _texts(values: Sequence[object], known: Sequence[bool]) -> Iterator[str | None]:
    """The values as text; of lists and tables only what not all have."""
    given = [value for value, is_known in zip(values, known, strict=True) if is_known]
    shared: list[object] = []
    if all(isinstance(value, list) for value in given):
        shared = [item for item in _items(given[0]) if all(item in _items(value) for value in given)]
    elif all(isinstance(value, dict) for value in given):
        shared = [item for item in _pairs(given[0]) if all(item in _pairs(value) for value in given)]
    for value, is_known in zip(values, known, strict=True):
        if not is_known or value is _Missing:
            yield None
            continue
        parts = _items(value) if isinstance(value, list) else _pairs(value) if isinstance(value, dict) else None
        if parts is None:
            yield text_of(value)
            continue
        own = [part for part in parts if part not in shared]
        words = ", ".join(text_of(part) for part in (own or ([] if shared and len(parts) == len(shared) else parts)))
        if not shared:
            yield words or "none of them"
        elif own:
            yield f"{len(shared)} shared + {words}"
        else:
            yield f"{len(shared)} shared"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _pairs(value: object) -> list[object]:
    return [f"{key} = {item}" for key, item in value.items()] if isinstance(value, dict) else []


def text_of(value: object) -> str:
    """A value as a person reads it.

    >>> text_of(0.00015), text_of(True), text_of("sdpa"), text_of(4096)
    ('0.00015', 'true', 'sdpa', '4096')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return visible(redact(str(value)))


def _others(runs: Sequence[Stated]) -> Iterator[Difference]:
    """Commit, machine, Python and packages, where they differ."""
    records = [run.record for run in runs]
    rows: list[tuple[str, list[str | None]]] = [
        ("commit", [None if record is None else (record.git_commit or "none")[:7] for record in records]),
        ("host", [None if record is None else record.host for record in records]),
        ("python", [None if record is None else record.python for record in records]),
    ]
    names = dict.fromkeys(name for record in records if record is not None for name in record.packages)
    for name in names:
        rows.append((name, [None if record is None else record.packages.get(name) or "none" for record in records]))
    for name, values in rows:
        told = {value for value in values if value is not None}
        if len(told) > 1:
            texts = tuple(None if value is None else visible(redact(value)) for value in values)
            yield Difference(visible(name), texts)


def _flat(tables: Mapping[str, object]) -> dict[str, object]:
    """The values of a profile by dotted key."""
    found: dict[str, object] = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            found.update({f"{name}.{key}": entry for key, entry in value.items()})
        else:
            found[name] = value
    return found
