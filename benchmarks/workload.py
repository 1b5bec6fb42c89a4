"""Rows like MUNIChus's, encoded: random tokens and pixels, with the lengths and tiles of its news in eight languages.

Text lengths are those of a 1,200-character article in the released tokenizers; tiles those of news photos, most of them
976x549. The last tokens of a row are its caption.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from functools import cache

import torch
from PIL import Image

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodedRow, EncodingLimits, Processor, RowEncoder
from inft.data.rows import ImageRef, Row
from inft.forecast.architecture import Architecture
from inft.forecast.row_lengths import RowLengths
from inft.models.family import Family

ARTICLES = ((0.55, 330), (0.08, 420), (0.07, 320), (0.08, 380), (0.06, 750), (0.08, 850), (0.05, 500), (0.03, 1500))
"""(share of rows, tokens): English, Hindi, French, Arabic, Japanese, Chinese, Urdu, Sinhala."""

ARTICLE_SPREAD = (0.85, 1.15)
TEMPLATE_TOKENS = 110
CAPTION_TOKENS = (15, 40)

AYA_TILES = {3: 0.10, 7: 0.05, 9: 0.70, 13: 0.15}
LLAMA_TILES = {1: 0.1, 2: 0.6, 4: 0.3}
LLAMA_ARRANGEMENT = {1: 1, 2: 2, 4: 6}
"""Tiles -> number of their arrangement: alone, side by side, two by two."""

AYA_MARKERS_PER_TILE = 5
"""Tokens of a tile that name it."""

TINY_SHARE = 32
"""A tiny model's texts are so many times shorter."""

ORDINARY = (32, 120_000)
"""Ids of text; the control tokens of the small tokenizers lie below and above."""

BANK_TILES = 64
"""Different tiles that there are; which one a row shows costs no time."""


def make_rows(
    family: Family, architecture: Architecture, processor: Processor, count: int, *, tiny: bool, seed: int = 0
) -> list[EncodedRow]:
    """Encoded rows, the same for the same seed.

    Args:
        family: whose inputs they have.
        architecture: sizes of tiles and vocabulary.
        processor: knows the picture's token.
        count: how many.
        tiny: shorter texts, and one tile a picture.
        seed: of everything random in them.
    """
    luck, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    pixels = architecture.vision.tile_pixels
    bank = torch.randn(BANK_TILES, 3, pixels, pixels, generator=generator)
    make = _aya_row if family.name == "aya" else _llama_row
    shares, lengths = zip(*ARTICLES, strict=True)
    rows = []
    for _ in range(count):
        article = luck.choices(lengths, shares)[0]
        text = TEMPLATE_TOKENS + int(article * luck.uniform(*ARTICLE_SPREAD))
        caption = luck.randint(*CAPTION_TOKENS)
        below = min(ORDINARY[1], architecture.text.vocabulary - 16)
        ids = torch.randint(
            ORDINARY[0], below, ((text // TINY_SHARE if tiny else text) + caption,), generator=generator
        )
        rows.append(make(architecture, processor.image_token_id, bank, luck, ids, caption, tiny))
    return rows


def heaviest_first(rows: Sequence[EncodedRow], step: int) -> list[EncodedRow]:
    """The longest `step` rows, then the others as they come: a run's own order begins with its heaviest step."""
    by_length = sorted(range(len(rows)), key=lambda number: -len(rows[number].input_ids))
    first = by_length[:step]
    taken = set(first)
    return [rows[number] for number in (*first, *(number for number in range(len(rows)) if number not in taken))]


def _aya_row(
    architecture: Architecture,
    image_token: int,
    bank: torch.Tensor,
    luck: random.Random,
    ids: torch.Tensor,
    caption: int,
    tiny: bool,
) -> EncodedRow:
    tiles = 1 if tiny else luck.choices(list(AYA_TILES), list(AYA_TILES.values()))[0]
    of_pictures = tiles * architecture.vision.patches_per_tile // architecture.downsample**2
    markers = AYA_MARKERS_PER_TILE * tiles + 2
    picture = torch.cat([ids.new_full((markers,), ORDINARY[0]), ids.new_full((of_pictures,), image_token)])
    return _row(torch.cat([picture, ids]), caption, (0, len(picture)), {"pixel_values": _tiles(bank, luck, tiles)})


def _llama_row(
    architecture: Architecture,
    image_token: int,
    bank: torch.Tensor,
    luck: random.Random,
    ids: torch.Tensor,
    caption: int,
    tiny: bool,
) -> EncodedRow:
    tiles = luck.choices(list(LLAMA_TILES), list(LLAMA_TILES.values()))[0]
    most = architecture.vision.max_tiles
    ids[1] = image_token
    pixels = torch.zeros(1, 1, most, *bank.shape[1:])
    pixels[0, 0, :tiles] = _tiles(bank, luck, tiles)
    of_picture = torch.zeros(1, 1, most, dtype=torch.long)
    of_picture[..., :tiles] = 1
    crossing = torch.zeros(1, len(ids), 1, most, dtype=torch.long)
    crossing[:, 1:, :, :tiles] = 1
    extra = {
        "pixel_values": pixels,
        "aspect_ratio_ids": torch.tensor([[LLAMA_ARRANGEMENT[tiles]]]),
        "aspect_ratio_mask": of_picture,
        "cross_attention_mask": crossing,
    }
    return _row(ids, caption, (1, 2), extra)


def _tiles(bank: torch.Tensor, luck: random.Random, count: int) -> torch.Tensor:
    return bank[luck.choices(range(len(bank)), k=count)]


def _row(ids: torch.Tensor, caption: int, image_span: tuple[int, int], extra: dict[str, torch.Tensor]) -> EncodedRow:
    labels = torch.full_like(ids, IGNORE_INDEX)
    labels[-caption:] = ids[-caption:]
    return EncodedRow(ids, labels, extra, prompt_tokens=len(ids) - caption, image_span=image_span, article_cut="")


def lengths_of(family: Family, rows: Sequence[EncodedRow]) -> RowLengths:
    """As a run has measured them."""
    lengths = RowLengths()
    for row in rows:
        supervised = int((row.labels != IGNORE_INDEX).sum())
        lengths.add(
            tokens=len(row.input_ids), tiles=family.collator.tiles(row), supervised=supervised, cut=0, language=0
        )
    return lengths


class NumberedRows:
    """A corpus of which each row is but its number, behind a picture that takes no time to decode."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Row:
        place = str(range(self._count)[index])
        return Row(language="en", title="", content="", caption="", image=ImageRef(_dot(), place), place=place)


@cache
def _dot() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "JPEG")
    return file.getvalue()


class KnownRows(RowEncoder):
    """An encoder that has all rows encoded already.

    Args:
        encoder: the real one, whose processor the trainer wants.
        rows: by the number that `NumberedRows` gives as a place.
    """

    def __init__(self, encoder: RowEncoder, rows: Sequence[EncodedRow]) -> None:
        self.processor = encoder.processor
        self.tokenizer = encoder.tokenizer
        self._rows = rows

    def encode(self, row: Row, image: Image.Image) -> EncodedRow:
        """That row; the picture is not looked at."""
        return self._rows[int(row.place)]


def collator_of(
    family: Family, processor: Processor, rows: Sequence[EncodedRow], limits: EncodingLimits
) -> CaptionCollator:
    """The family's collator, which makes batches of `rows` by their numbers."""
    collator = family.collator(processor, NumberedRows(len(rows)), {}, limits)
    collator.encoder = KnownRows(collator.encoder, rows)
    return collator
