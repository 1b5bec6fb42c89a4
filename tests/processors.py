"""Processors of both families with tokenizers learnt from the demo corpus, and rows to give them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from PIL import Image

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodedRow, EncodingLimits, Processor
from inft.data.munichus import Selection, load_rows
from inft.data.rows import ImageRef, Row
from inft.models.registry import FAMILIES
from inft.models.tiny import build_processor, demo_texts
from inft.models.tiny_description import TILE_PIXELS
from inft.params import LANGUAGE_NAMES, FamilyName, MUNIChusLoadConfig

BOTH: tuple[FamilyName, ...] = ("llama32", "aya")

ENDS: dict[FamilyName, str] = {"llama32": "<|eot_id|>", "aya": "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"}
"""What the templates write behind an answer."""

HEADERS: dict[FamilyName, str] = {
    "llama32": "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "aya": "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
}
"""What the templates write before an answer."""

ROOMY = EncodingLimits(max_length=100_000, article_chars=None, article_tokens=None, include_title=True)


class Rows(list[Row]):
    """A corpus in memory."""


@cache
def demo_rows(split: str) -> Selection:
    """The bundled corpus."""
    return load_rows(MUNIChusLoadConfig(source="demo"), root=Path("/"), split=split)


@cache
def processor(family: FamilyName) -> Processor:
    """One for all tests that leave it as it is."""
    return fresh_processor(family)


def fresh_processor(family: FamilyName) -> Processor:
    """One for a test that changes it."""
    return build_processor(family, demo_texts(), TILE_PIXELS[family])


def collator(
    family: FamilyName,
    rows: Sequence[Row] = (),
    limits: EncodingLimits = ROOMY,
    processor_: Processor | None = None,
) -> CaptionCollator:
    """The family's collator of `rows`."""
    return FAMILIES[family].collator(processor_ or processor(family), Rows(rows), LANGUAGE_NAMES, limits)


def some_row(
    caption: str = "A caption.",
    *,
    content: str = "An article.",
    title: str = "A headline",
    language: str = "en",
    image: bytes = b"",
    place: str = "train.jsonl line 1",
) -> Row:
    """A row."""
    return Row(language, title, content, caption, ImageRef(image, place), place)


def blank(width: int = 20, height: int = 20) -> Image.Image:
    """A picture of as few tiles as its shape allows."""
    return Image.new("RGB", (width, height), (200, 30, 40))


def supervised_text(family: FamilyName, row: EncodedRow) -> str:
    """What is supervised, without the end that every answer has."""
    text = decode(family, row.labels[row.labels != IGNORE_INDEX])
    assert text.endswith(ENDS[family])
    return text.removesuffix(ENDS[family])


def decode(family: FamilyName, ids: torch.Tensor) -> str:
    """Tokens as text, control tokens included."""
    text: str = processor(family).tokenizer.decode(ids.tolist(), skip_special_tokens=False)
    return text
