"""Rows -> one micro-batch without padding: they lie end to end, and only what carries the loss is labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from inft.data.collators import CaptionCollator, SkippedRow
from inft.data.encoding import IGNORE_INDEX, EncodedRow

NARROWED = "pixel_values"
"""What is handed over in the dtype that the vision tower casts it to at once: half as much to copy."""


@dataclass(frozen=True)
class PackedRows:
    """One micro-batch of B rows, T tokens together, of which S carry the loss.

    Attributes:
        lengths: tokens of each row, in the order in which they lie.
        tiles: tiles of each row's picture; on Llama those of the grid.
        picture_starts: where in its row each picture begins; what is before it does not see it.
        supervised: S.
        tensors: input_ids (T,) and position_ids (T,) int64, the latter from 0 in every row; row_starts (B + 1,) int32;
            places (S,) and targets (S,) int64, whose hidden state tells which token; what the collator's `pictures`
            adds.
        skipped: rows that could not be used.
    """

    lengths: tuple[int, ...]
    tiles: tuple[int, ...]
    picture_starts: tuple[int, ...]
    supervised: int
    tensors: Mapping[str, Tensor]
    skipped: tuple[SkippedRow, ...] = ()

    def pin_memory(self) -> PackedRows:
        """The same in memory that a GPU copies from by itself; a `DataLoader` asks for it."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device) -> PackedRows:
        """The same on `device`; from pinned memory nothing waits for the copy."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> PackedRows:
        return replace(self, tensors={name: change(tensor) for name, tensor in self.tensors.items()})


class PackingCollator:
    """Turns row numbers into `PackedRows`.

    Args:
        collator: reads and encodes the rows.
        dtype: that pictures are handed over in.
    """

    def __init__(self, collator: CaptionCollator, dtype: torch.dtype) -> None:
        self._collator = collator
        self._dtype = dtype

    def __call__(self, examples: Sequence[Mapping[str, int]]) -> PackedRows:
        """The micro-batch of the rows numbered by each example's `row`, as `CaptionCollator` chooses them.

        Raises:
            DataError: no row near one of them can be used.
        """
        rows, skipped = self._collator.usable_rows(examples)
        return replace(self.pack(rows), skipped=tuple(skipped))

    def pack(self, rows: Sequence[EncodedRow]) -> PackedRows:
        """`rows` end to end."""
        lengths = [len(row.input_ids) for row in rows]
        labels = torch.cat([row.labels for row in rows])
        # The first token of a row is never supervised, so that no row predicts the next one's.
        places = (labels[1:] != IGNORE_INDEX).nonzero().squeeze(1)
        pictures = self._collator.pictures(rows)
        return PackedRows(
            lengths=tuple(lengths),
            tiles=tuple(map(self._collator.tiles, rows)),
            picture_starts=tuple(row.image_span[0] for row in rows),
            supervised=len(places),
            tensors={
                "input_ids": torch.cat([row.input_ids for row in rows]),
                "position_ids": torch.cat([torch.arange(length) for length in lengths]),
                "row_starts": torch.tensor([0, *accumulate(lengths)], dtype=torch.int32),
                "places": places,
                "targets": labels[places + 1],
                **pictures,
                NARROWED: pictures[NARROWED].to(self._dtype),
            },
        )
