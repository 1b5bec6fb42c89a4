"""Safetensors files read and written one tensor at a time, so that a model of any size needs the memory of one."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open

from inft.errors import ConfigError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
OTHERS = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""Bytes of a number; such tensors are written as they are."""

BF16_BYTES = 2
ALIGNMENT = 8
"""The format pads its header to a multiple of so many bytes."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a checkpoint, not read yet.

    Attributes:
        name: as in the file.
        shape: of the tensor.
        dtype: as safetensors writes it, such as "BF16".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def written_dtype(self) -> str:
        """What it is written as: every float as bf16."""
        return "BF16" if self.dtype in FLOATS else self.dtype

    @property
    def written_bytes(self) -> int:
        """How many bytes of the new file are its own."""
        size = BF16_BYTES if self.dtype in FLOATS else OTHERS[self.dtype]
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class Shard:
    """One file of a checkpoint.

    Attributes:
        path: where it lies.
        tensors: in the order in which they lie in the file.
    """

    path: Path
    tensors: tuple[StoredTensor, ...]

    @property
    def written_bytes(self) -> int:
        """How many bytes its tensors take in the new file."""
        return sum(tensor.written_bytes for tensor in self.tensors)

    def read(self) -> Iterator[torch.Tensor]:
        """Its tensors, one after the other."""
        with safe_open(self.path, framework="pt") as file:
            for tensor in self.tensors:
                yield file.get_tensor(tensor.name)


def find_shards(folder: Path) -> tuple[Shard, ...]:
    """The files of the checkpoint in `folder`, by its index where it has one.

    Raises:
        ConfigError: a file is missing or damaged, or holds tensors that are already quantised.
    """
    try:
        return tuple(_shard(folder / name) for name in _file_names(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ConfigError(
            f"The weights in {folder} cannot be read: {error}.", "Copy or download the whole checkpoint again."
        ) from error


def write_index(folder: Path, shards: Sequence[Shard]) -> None:
    """The index of shards that were written into `folder`; a single file needs none."""
    if [shard.path.name for shard in shards] == [SINGLE]:
        return
    files = {tensor.name: shard.path.name for shard in shards for tensor in shard.tensors}
    index = {
        "metadata": {"total_size": sum(shard.written_bytes for shard in shards)},
        "weight_map": dict(sorted(files.items())),
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


class ShardWriter:
    """Writes one safetensors file; every tensor must be put, in the shard's order.

    Args:
        file: open for writing, and empty.
        tensors: what it is to hold.

    The format (github huggingface/safetensors, README): eight bytes with the length of the header, little-endian; the
    header, JSON padded with blanks; the tensors' bytes, end to end.
    """

    def __init__(self, file: BinaryIO, tensors: Sequence[StoredTensor]) -> None:
        self._file = file
        self._due = iter(tensors)
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        end = 0
        for tensor in tensors:
            start, end = end, end + tensor.written_bytes
            header[tensor.name] = {
                "dtype": tensor.written_dtype,
                "shape": list(tensor.shape),
                "data_offsets": [start, end],
            }
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        file.write(struct.pack("<Q", len(text)) + text)

    def put(self, values: torch.Tensor) -> None:
        """The next tensor; floats are rounded to bf16."""
        due = next(self._due)
        assert tuple(values.shape) == due.shape
        if values.is_floating_point():
            values = values.to(torch.bfloat16)
        # A view of bytes: numpy knows no bf16. A tensor of no dimension has no bytes to view it as.
        self._file.write(values.contiguous().reshape(-1).view(torch.uint8).numpy().data)

    def done(self) -> None:
        """Waits until the disk has it."""
        assert next(self._due, None) is None
        self._file.flush()
        os.fsync(self._file.fileno())


def _file_names(folder: Path) -> list[str]:
    """Names of the files, each only once."""
    index = folder / INDEX
    if not index.is_file():
        return [SINGLE]
    files: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    names = list(dict.fromkeys(files.values()))
    strange = [name for name in names if Path(name).name != name]
    if strange:
        raise ValueError(f"{INDEX} names {strange[0]}, which is no file beside it")
    return names


def _shard(path: Path) -> Shard:
    with safe_open(path, framework="pt") as file:
        tensors = []
        for name in file.offset_keys():
            content = file.get_slice(name)
            tensors.append(StoredTensor(name, tuple(content.get_shape()), content.get_dtype()))
    strange = [tensor for tensor in tensors if tensor.dtype not in FLOATS | OTHERS.keys()]
    if strange:
        raise ValueError(f"{path.name} holds {strange[0].name} as {strange[0].dtype}, so it is quantised already")
    return Shard(path, tuple(tensors))
