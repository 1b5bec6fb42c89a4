"""What a profile asks of a machine, as far as the checks have to know it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from inft.config import Config
from inft.params import DtypeName
from inft.project import inside

SMALL_MODEL_BYTES = 1 << 30
"""Weights of a model that a CPU trains while one waits; the released ones have 16 and more times as much."""


@dataclass(frozen=True)
class Needs:
    """What the checks of the GPU and the host judge by.

    Attributes:
        gpu: whether it takes a GPU; a small model trains on a CPU, too.
        dtype: what it computes in.
        dtype_key: the parameter that says so.
        workers: processes that prepare batches.
        row_bytes: what a row takes of a batch in shared memory, with the most tiles that a picture can have.
        micro_batch: rows of a batch.
    """

    gpu: bool
    dtype: DtypeName
    dtype_key: str
    workers: int
    row_bytes: int
    micro_batch: int = 1

    @property
    def batch_bytes(self) -> int:
        """What a batch takes in shared memory."""
        return self.micro_batch * self.row_bytes

    def of_micro_batch(self, rows: int) -> Needs:
        """The same, with batches of so many rows."""
        return replace(self, micro_batch=rows)


def needs_of(config: Config, root: Path, pixels_per_row: int) -> Needs:
    """What `config` asks for.

    Args:
        config: the profile.
        root: the project's root.
        pixels_per_row: the most that a picture becomes, all tiles together.
    """
    quantised = config.qlora.load_in_4bit
    return Needs(
        gpu=not is_small(config, root),
        dtype=config.compute_dtype,
        dtype_key="qlora.bnb_4bit_compute_dtype" if quantised else "basic.dtype",
        workers=config.data.num_workers,
        # Three colours in fp32, which the processors give; the tokens beside them do not count.
        row_bytes=pixels_per_row * 3 * 4,
        micro_batch=config.data.batch_size,
    )


def is_small(config: Config, root: Path) -> bool:
    """Whether the model is one for demos and tests."""
    basic = config.basic
    if basic.model_source == "folder":
        folder = inside(root, str(basic.model_path), "basic.model_path")
        size = sum(os.path.getsize(path) for path in folder.glob("*.safetensors") if os.path.isfile(path))
        return 0 < size < SMALL_MODEL_BYTES
    return basic.model_source == "tiny"
