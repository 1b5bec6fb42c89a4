"""Rows -> one padded batch, for each family.

TRL's own collators are not used: on Llama they leave the cross-attention mask at the prompt's length and supervise
the picture's token, which lies outside the output head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn.functional import pad
from transformers import AyaVisionProcessor
from transformers.models.mllama.image_processing_pil_mllama import get_optimal_tiled_canvas

from inft.data.encoding import IGNORE_INDEX, EncodedRow, EncodingLimits, Processor, RowEncoder
from inft.data.images import open_image
from inft.data.rows import UNKNOWN_LANGUAGE, Corpus, UnusableRow
from inft.errors import DataError

Side = Literal["left", "right"]

MOST_SKIPPED_IN_A_ROW = 100  # so many neighbours unusable means a broken corpus or setting, not a broken row

SKIPPED_KEY = "skipped_rows"
"""Where a batch carries the rows it could not use; the trainer takes them out before the model sees the batch."""


@dataclass(frozen=True)
class SkippedRow:
    """A row found unusable when its batch was made."""

    cause: str
    language: str
    place: str
    reason: str


class CaptionCollator(ABC):
    """Turns row numbers of a corpus into a batch.

    Shapes: B rows, T = the longest row in tokens, L tiles, C x H x W pixels of a tile.

    Args:
        processor: the checkpoint's processor.
        corpus: rows by number; their pictures are decoded here and nowhere else.
        language_names: English name of each language.
        limits: how much of a row the model is shown.
    """

    def __init__(
        self,
        processor: Processor,
        corpus: Corpus,
        language_names: Mapping[str, str],
        limits: EncodingLimits,
    ) -> None:
        self.corpus = corpus
        self.encoder = RowEncoder(processor, self.tile_count, self.image_text, language_names, limits)
        self._pad_id: int = processor.tokenizer.pad_token_id

    @staticmethod
    @abstractmethod
    def tile_count(processor: Processor, width: int, height: int) -> int:
        """How many tiles a picture of that many pixels is cut into; what `tiles` finds once that is done."""

    @staticmethod
    @abstractmethod
    def image_text(processor: Processor, tiles: int) -> str:
        """What the processor writes into the text in place of its image token."""

    @staticmethod
    @abstractmethod
    def tiles(row: EncodedRow) -> int:
        """How many tiles the row's picture is cut into."""

    @staticmethod
    @abstractmethod
    def batch_tiles(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """How many tiles the pictures of a whole batch are cut into; () int64, where the batch is."""

    @abstractmethod
    def stack(self, rows: Sequence[EncodedRow], length: int, side: Side) -> dict[str, torch.Tensor]:
        """The batch's inputs beside ids, mask and labels, padded to `length` tokens on `side`."""

    @abstractmethod
    def pictures(self, rows: Sequence[EncodedRow]) -> dict[str, torch.Tensor]:
        """The pictures of rows that lie end to end, without padding; `pixel_values` is among it."""

    def __call__(self, examples: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """The training batch of the rows numbered by each example's `row`.

        A row that cannot be used gives its place to the next one that can, so that every micro-batch stays whole, and
        is named under `SKIPPED_KEY`.

        Returns:
            input_ids, attention_mask, labels, each (B, T) int64; what `stack` adds; the skipped rows, if any.

        Raises:
            DataError: no row near one of them can be used.
        """
        rows, skipped = self.usable_rows(examples)
        batch: dict[str, Any] = self.pad(rows, "right")
        if skipped:
            batch[SKIPPED_KEY] = skipped
        return batch

    def usable_rows(self, examples: Sequence[Mapping[str, int]]) -> tuple[list[EncodedRow], list[SkippedRow]]:
        """The rows numbered by each example's `row` or, for one that cannot be used, the next that can; and the former.

        Raises:
            DataError: no row near one of them can be used.
        """
        skipped: list[SkippedRow] = []
        rows = [self._usable_row(example["row"], skipped) for example in examples]
        return rows, skipped

    def pad_prompts(self, rows: Sequence[EncodedRow]) -> dict[str, torch.Tensor]:
        """The batch of the rows' prompts, padded on the left, for generation: no labels."""
        batch = self.pad(rows, "left")
        del batch["labels"]
        return batch

    def pad(self, rows: Sequence[EncodedRow], side: Side) -> dict[str, torch.Tensor]:
        """One batch of `rows`, padded to the longest of them."""
        length = max(len(row.input_ids) for row in rows)

        def padded(tensor: torch.Tensor, value: int) -> torch.Tensor:
            missing = length - len(tensor)
            return pad(tensor, (missing, 0) if side == "left" else (0, missing), value=value)

        return {
            "input_ids": torch.stack([padded(row.input_ids, self._pad_id) for row in rows]),
            "attention_mask": torch.stack([padded(torch.ones_like(row.input_ids), 0) for row in rows]),
            "labels": torch.stack([padded(row.labels, IGNORE_INDEX) for row in rows]),
            **self.stack(rows, length, side),
        }

    def _usable_row(self, number: int, skipped: list[SkippedRow]) -> EncodedRow:
        tries = min(len(self.corpus), MOST_SKIPPED_IN_A_ROW)
        for step in range(tries):
            language = UNKNOWN_LANGUAGE
            try:
                row = self.corpus[(number + step) % len(self.corpus)]
                language = row.language
                return self.encoder.encode(row, open_image(row.image))
            except UnusableRow as error:
                skipped.append(SkippedRow(error.cause, language, error.place, error.reason))
        first = skipped[-tries]
        raise DataError(
            f"{tries} rows one after the other cannot be used; the first, {first.place}: {first.reason}.",
            "Raise basic.max_length, or mend the pictures.",
        )


class LlamaCollator(CaptionCollator):
    """Llama 3.2 Vision: tiles beside the text, tied to it by a cross-attention mask."""

    @staticmethod
    def tile_count(processor: Processor, width: int, height: int) -> int:
        """As the image processor chooses the grid."""
        images = processor.image_processor
        tile: int = images.size["height"]
        canvas_height, canvas_width = get_optimal_tiled_canvas(height, width, images.max_image_tiles, tile)
        return int(canvas_height // tile * (canvas_width // tile))

    @staticmethod
    def image_text(processor: Processor, tiles: int) -> str:
        """One token: the picture itself is only cross-attended to."""
        token: str = processor.image_token
        return token

    @staticmethod
    def tiles(row: EncodedRow) -> int:
        """Those of the grid; the empty ones that fill up to four are not counted."""
        return int(row.extra["aspect_ratio_mask"].sum())

    @staticmethod
    def batch_tiles(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """As `tiles`."""
        return batch["aspect_ratio_mask"].sum()

    def stack(self, rows: Sequence[EncodedRow], length: int, side: Side) -> dict[str, torch.Tensor]:
        """pixel_values (B, 1, L, C, H, W), aspect_ratio_ids (B, 1), aspect_ratio_mask (B, 1, L) and
        cross_attention_mask (B, T, 1, L) int64.
        """
        batch = {
            name: torch.cat([row.extra[name] for row in rows])
            for name in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        }
        masks = []
        for row in rows:
            mask = row.extra["cross_attention_mask"][0]  # (T_i, 1, L)
            missing = length - len(mask)
            # As the processor does it: what follows the picture attends to it, padding behind the text included.
            filling = mask[-1:].expand(missing, -1, -1) if side == "right" else mask.new_zeros(missing, *mask.shape[1:])
            masks.append(torch.cat([mask, filling] if side == "right" else [filling, mask]))
        return batch | {"cross_attention_mask": torch.stack(masks)}

    def pictures(self, rows: Sequence[EncodedRow]) -> dict[str, torch.Tensor]:
        """pixel_values (B, L, C, H, W), aspect_ratio_ids (B, 1) int64."""
        return {
            "pixel_values": torch.cat([row.extra["pixel_values"] for row in rows]).squeeze(1),
            "aspect_ratio_ids": torch.cat([row.extra["aspect_ratio_ids"] for row in rows]),
        }


class AyaCollator(CaptionCollator):
    """Aya Vision: every tile of a picture is a run of tokens in the text."""

    @staticmethod
    def tile_count(processor: Processor, width: int, height: int) -> int:
        """As the processor says; the image processor alone would not know that it always has it cut tiles."""
        assert isinstance(processor, AyaVisionProcessor)
        counts = processor._get_num_multimodal_tokens(image_sizes=[(height, width)])
        tiles: int = counts["num_image_patches"][0]
        return tiles

    @staticmethod
    def image_text(processor: Processor, tiles: int) -> str:
        """The tiles as the processor writes them."""
        assert isinstance(processor, AyaVisionProcessor)
        text: str = processor.replace_image_token({"num_patches": [tiles]}, 0)
        return text

    @staticmethod
    def tiles(row: EncodedRow) -> int:
        """Those of the grid, and the whole picture as the last."""
        return len(row.extra["pixel_values"])

    @staticmethod
    def batch_tiles(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """As `tiles`."""
        pixels = batch["pixel_values"]
        return torch.tensor(len(pixels), device=pixels.device)

    def stack(self, rows: Sequence[EncodedRow], length: int, side: Side) -> dict[str, torch.Tensor]:
        """pixel_values (L, C, H, W): the tiles of all rows, one row's after the other's."""
        return {"pixel_values": torch.cat([row.extra["pixel_values"] for row in rows])}

    def pictures(self, rows: Sequence[EncodedRow]) -> dict[str, torch.Tensor]:
        """pixel_values as `stack`; picture_places, int64, the places of the pictures' tokens."""
        ids = torch.cat([row.input_ids for row in rows])
        token: int = self.encoder.processor.image_token_id
        return {
            "pixel_values": torch.cat([row.extra["pixel_values"] for row in rows]),
            "picture_places": (ids == token).nonzero().squeeze(1),
        }
