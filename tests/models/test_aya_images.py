"""Aya's tokens for a picture against what the vision side returns for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inft.data.collators import AyaCollator
from inft.data.encoding import Processor
from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts
from inft.params import FamilyName
from tests.models.bases import FULL_PRECISION, conversation, load, picture

SHAPES = {"wide": (976, 549), "tall": (400, 900), "square": (500, 500), "tiny": (23, 17), "panorama": (2400, 200)}


def encoded(processor: Processor, size: tuple[int, int]) -> tuple[int, torch.Tensor]:
    """Picture tokens in a conversation about a picture of a size, and its tiles (L, C, H, W)."""
    text = processor.apply_chat_template(list(conversation()), tokenize=False)
    inputs = processor(images=[picture(*size)], text=[text], add_special_tokens=False, return_tensors="pt")
    count = int((inputs["input_ids"] == processor.image_token_id).sum())
    # What our collator counts tokens with is what the processor has written.
    ours = AyaCollator.image_text(processor, AyaCollator.tile_count(processor, *size))
    assert processor.tokenizer(ours, add_special_tokens=False)["input_ids"].count(processor.image_token_id) == count
    return count, inputs["pixel_values"]


@pytest.mark.parametrize("shape", SHAPES)
def test_as_many_tokens_as_the_vision_side_returns(tiny: dict[FamilyName, Path], shape: str) -> None:
    processor = load_processor(tiny["aya"], FAMILIES["aya"])
    count, tiles = encoded(processor, SHAPES[shape])
    model = load(tiny["aya"], "aya", *FULL_PRECISION).eval()
    with torch.no_grad():
        features = model.get_image_features(pixel_values=tiles).pooler_output
    assert features.shape[0] == len(tiles)
    assert features.shape[0] * features.shape[1] == count


@pytest.fixture(scope="module")
def released() -> Processor:
    """A processor with the released checkpoint's tiles."""
    return build_processor("aya", demo_texts(), RELEASED_TILE_PIXELS["aya"])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tile_of_the_released_size_takes_169_tokens(released: Processor, shape: str) -> None:
    count, tiles = encoded(released, SHAPES[shape])
    assert tiles.shape[1:] == (3, 364, 364)
    assert count == 169 * len(tiles)


@pytest.mark.parametrize(("size", "tiles"), [((976, 549), 9), ((800, 600), 13), ((300, 300), 1)])
def test_news_photos_take_as_many_tiles_as_known(released: Processor, size: tuple[int, int], tiles: int) -> None:
    assert len(encoded(released, size)[1]) == tiles
