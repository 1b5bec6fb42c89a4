"""What tells one base model from another: its name, its commit on the hub, and a digest of its weights."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ConfigError
from inft.runs.records import unreadable

LOOK_BYTES = 256
"""Read at the beginning, the middle and the end of each tensor: other weights differ there."""

LONGEST_HEADER_BYTES = 100 << 20
"""More than the format allows; what says it has so many is no safetensors file."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class BaseIdentity:
    """A base model.

    Attributes:
        name: the hub id, or the folder.
        commit: of the hub's repository; None for a folder.
        weights: what `weights_digest` gives.
    """

    name: str
    commit: str | None
    weights: str

    @property
    def text(self) -> str:
        """As a message names it."""
        commit = f" at {self.commit[:7]}" if self.commit else ""
        return f"{self.name}{commit} (weights {self.weights[:12]})"


@dataclass(frozen=True)
class _Tensor:
    name: str
    description: str
    path: Path
    start: int
    end: int


def trained_on_another(found: BaseIdentity, recorded: BaseIdentity | None, name: str) -> str | None:
    """What adapters were trained on where that is another base than `found`; None if it is the same, or nothing tells.

    Args:
        found: the base at hand.
        recorded: what the run that trained them wrote down; None = it did not.
        name: what the adapters' own configuration calls their base; empty = nothing. Only asked where nothing was
            recorded, and a folder may have been moved since.
    """
    if recorded is not None:
        return None if recorded.weights == found.weights else recorded.text
    moved = os.path.isabs(name) and os.path.isabs(found.name) and Path(name).name == Path(found.name).name
    return None if moved or name in ("", found.name) else name


def identify(name: str, folder: Path) -> BaseIdentity:
    """The base model whose safetensors files are in `folder`.

    Args:
        name: the hub id, or the folder.
        folder: as downloaded or saved; the hub's cache names it by the commit.

    Raises:
        ConfigError: a file is no safetensors file.
        DiskError: a file cannot be read.
    """
    in_cache = folder.parent.name == _SNAPSHOTS and _COMMIT.fullmatch(folder.name)
    return BaseIdentity(name, folder.name if in_cache else None, weights_digest(folder))


def weights_digest(folder: Path) -> str:
    """SHA-256 of the weights' names, types, shapes and of some bytes of each, in milliseconds whatever their size.

    How they are spread over files does not matter. Two models of one architecture that were trained apart differ in
    it; one changed by hand in a few values need not.

    Raises:
        ConfigError: a file is no safetensors file.
        DiskError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        tensors = sorted(
            (tensor for path in folder.glob("*.safetensors") for tensor in _tensors(path)),
            key=lambda tensor: tensor.name,
        )
        for tensor in tensors:
            digest.update(f"{tensor.name} {tensor.description}\n".encode())
            digest.update(_look(tensor))
    except OSError as error:
        raise unreadable(error, error.filename or folder) from error
    return digest.hexdigest()


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file.

    Raises:
        ConfigError: it is no safetensors file.
        DiskError: it cannot be read.
    """
    try:
        header, _ = _header(path)
    except OSError as error:
        raise unreadable(error, path) from error
    return {name: tuple(facts["shape"]) for name, facts in header.items()}


def _tensors(path: Path) -> Iterator[_Tensor]:
    header, data = _header(path)
    for name, facts in header.items():
        start, end = facts["data_offsets"]
        yield _Tensor(name, f"{facts['dtype']} {facts['shape']}", path, data + start, data + end)


def _header(path: Path) -> tuple[dict[str, dict[str, list[int]]], int]:
    """What a file says of its tensors, and where their bytes begin.

    The format: 8 bytes of the header's length, little-endian, the header as JSON, the tensors.
    https://huggingface.co/docs/safetensors
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        content = file.read(length) if length <= LONGEST_HEADER_BYTES else b""
    try:
        header = json.loads(content)
        header.pop("__metadata__", None)
        for facts in header.values():
            _, _, _ = facts["dtype"], list(facts["shape"]), [int(place) for place in facts["data_offsets"]]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is no safetensors file, or only a part of one.", "Copy or download it again."
        ) from error
    return header, 8 + length


def _look(tensor: _Tensor) -> bytes:
    size = tensor.end - tensor.start
    last = max(0, size - LOOK_BYTES)
    with tensor.path.open("rb") as file:
        return b"".join(
            os.pread(file.fileno(), min(LOOK_BYTES, size), tensor.start + place) for place in (0, last // 2, last)
        )
