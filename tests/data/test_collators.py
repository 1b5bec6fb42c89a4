"""Batches: the official processors' own, key by key; bad rows give their place away; workers change nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inft.data.collators import MOST_SKIPPED_IN_A_ROW, SKIPPED_KEY, CaptionCollator, SkippedRow
from inft.data.encoding import IGNORE_INDEX, EncodedRow
from inft.data.images import open_image
from inft.data.prompt import PromptParts
from inft.data.rows import Row, UnreadableRow
from inft.errors import DataError
from inft.params import LANGUAGE_NAMES, FamilyName
from tests.data.corpora import picture
from tests.processors import (
    BOTH,
    ROOMY,
    Rows,
    collator,
    decode,
    demo_rows,
    processor,
    some_row,
    supervised_text,
)

pytestmark = pytest.mark.parametrize("family", BOTH)

SHAPES = [(97, 55), (55, 97), (30, 30), (240, 40), (80, 60)]


def assorted_rows() -> list[Row]:
    """Rows of several languages, lengths and picture shapes."""
    rows = []
    for number, (width, height) in enumerate(SHAPES):
        row = demo_rows("train")[number * 40]
        gradient = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        buffer = io.BytesIO()
        gradient.save(buffer, "PNG")
        image = replace(row.image, source=buffer.getvalue())
        rows.append(replace(row, content=row.content[: 60 * number], image=image))
    return rows


def encoded(maker: CaptionCollator, *, prompts: bool = False) -> list[EncodedRow]:
    encode = maker.encoder.encode_prompt if prompts else maker.encoder.encode
    return [encode(row, open_image(row.image)) for row in maker.corpus]


def official_batch(family: FamilyName, rows: Sequence[Row], side: str, *, prompts: bool) -> dict[str, torch.Tensor]:
    """What the released processor makes of the same conversations, without our help."""
    texts = []
    for row in rows:
        parts = PromptParts(LANGUAGE_NAMES[row.language], row.title.strip(), row.content.strip(), row.caption.strip())
        messages = parts.prompt_messages() if prompts else parts.full_messages()
        texts.append(processor(family).apply_chat_template(messages, tokenize=False, add_generation_prompt=prompts))
    batch = processor(family)(
        images=[[open_image(row.image)] for row in rows],
        text=texts,
        padding=True,
        padding_side=side,
        add_special_tokens=False,
        return_tensors="pt",
    )
    return dict(batch)


def check_equal(ours: dict[str, Any], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype, name
        assert torch.equal(ours[name], tensor), name


@pytest.mark.parametrize("count", [1, 5])
def test_a_training_batch_is_the_official_processors(family: FamilyName, count: int) -> None:
    rows = assorted_rows()[:count]
    ours = collator(family, rows)([{"row": number} for number in range(count)])
    labels = ours.pop("labels")
    check_equal(ours, official_batch(family, rows, "right", prompts=False))
    assert labels.shape == ours["input_ids"].shape
    for row, row_labels, ids in zip(rows, labels, ours["input_ids"], strict=True):
        supervised = row_labels != IGNORE_INDEX
        assert decode(family, row_labels[supervised]).startswith(row.caption.strip())
        assert torch.equal(row_labels[supervised], ids[supervised])


@pytest.mark.parametrize("count", [1, 5])
def test_a_batch_of_prompts_is_the_official_processors(family: FamilyName, count: int) -> None:
    rows = assorted_rows()[:count]
    maker = collator(family, rows)
    check_equal(maker.pad_prompts(encoded(maker, prompts=True)), official_batch(family, rows, "left", prompts=True))


def test_a_batch_of_one_is_the_row(family: FamilyName) -> None:
    maker = collator(family, assorted_rows())
    for row in encoded(maker):
        for side in ("left", "right"):
            batch = maker.pad([row], side)  # type: ignore[arg-type]
            assert torch.equal(batch["input_ids"], row.input_ids[None])
            assert torch.equal(batch["labels"], row.labels[None])
            assert batch["attention_mask"].all()
            for name, tensor in row.extra.items():
                assert torch.equal(batch[name], tensor), name


def test_padding_keeps_every_row_on_either_side(family: FamilyName) -> None:
    maker = collator(family, assorted_rows())
    rows = encoded(maker)
    right, left = maker.pad(rows, "right"), maker.pad(rows, "left")
    length = max(len(row.input_ids) for row in rows)
    for number, row in enumerate(rows):
        size = len(row.input_ids)
        for batch, content in ((right, slice(0, size)), (left, slice(length - size, length))):
            mask = batch["attention_mask"][number]
            assert mask.sum() == size
            assert mask[content].all()
            assert torch.equal(batch["input_ids"][number, content], row.input_ids)
            assert torch.equal(batch["labels"][number, content], row.labels)
            assert (batch["input_ids"][number][mask == 0] == processor(family).tokenizer.pad_token_id).all()
            assert (batch["labels"][number][mask == 0] == IGNORE_INDEX).all()
            if family == "llama32":
                cross = batch["cross_attention_mask"][number]
                assert torch.equal(cross[content], row.extra["cross_attention_mask"][0])
    assert torch.equal(right["pixel_values"], left["pixel_values"])


def test_a_prompt_is_the_training_row_up_to_its_answer(family: FamilyName) -> None:
    maker = collator(family, assorted_rows(), replace(ROOMY, article_tokens=10))
    for whole, prompt in zip(encoded(maker), encoded(maker, prompts=True), strict=True):
        assert torch.equal(prompt.input_ids, whole.input_ids[: whole.prompt_tokens])
        assert prompt.prompt_tokens == whole.prompt_tokens
        assert (prompt.image_span, prompt.article_cut) == (whole.image_span, whole.article_cut)
        assert torch.equal(prompt.extra["pixel_values"], whole.extra["pixel_values"])
        assert (prompt.labels == IGNORE_INDEX).all()


GOOD, BAD = picture(), b"no picture"


def numbered(*images: bytes) -> list[Row]:
    return [some_row(f"Caption {n}", image=data, place=f"line {n}") for n, data in enumerate(images)]


def captions(family: FamilyName, batch: dict[str, Any]) -> list[str]:
    """What is supervised in each row of a batch."""
    rows = zip(batch["input_ids"], batch["labels"], strict=True)
    return [supervised_text(family, EncodedRow(ids, labels, {}, 0, (0, 0), "")) for ids, labels in rows]


def test_a_row_without_a_usable_picture_gives_its_place_to_the_next(family: FamilyName) -> None:
    maker = collator(family, numbered(GOOD, BAD, BAD, GOOD, BAD))
    batch = maker([{"row": 0}, {"row": 1}, {"row": 4}, {"row": 3}])
    skipped = batch.pop(SKIPPED_KEY)
    assert captions(family, batch) == ["Caption 0", "Caption 3", "Caption 0", "Caption 3"]
    assert [(row.cause, row.language, row.place) for row in skipped] == [
        ("undecodable_image", "en", f"line {number}") for number in (1, 2, 4)
    ]
    assert all("not a picture" in row.reason for row in skipped)
    assert {len(tensor) for name, tensor in batch.items() if name != "pixel_values"} == {4}


def test_a_row_that_is_too_long_gives_its_place_away_too(family: FamilyName) -> None:
    rows = numbered(GOOD, GOOD)
    rows[0] = replace(rows[0], caption="word " * 300)
    batch = collator(family, rows, replace(ROOMY, max_length=250))([{"row": 0}])
    (skipped,) = batch[SKIPPED_KEY]
    assert (skipped.cause, skipped.place) == ("too_long", "line 0")
    assert "basic.max_length is 250" in skipped.reason
    assert captions(family, batch) == ["Caption 1"]


class PartlyReadable(Rows):
    """A corpus whose second row is broken."""

    def __getitem__(self, index: int) -> Row:  # type: ignore[override]
        if index == 1:
            raise UnreadableRow("line 1", "not JSON")
        return super().__getitem__(index)


def test_a_row_that_cannot_be_read_counts_for_no_language(family: FamilyName) -> None:
    maker = collator(family)
    maker.corpus = PartlyReadable(numbered(GOOD, GOOD, GOOD))
    batch = maker([{"row": 1}])
    assert batch[SKIPPED_KEY] == [SkippedRow("unreadable_row", "unknown", "line 1", "not JSON")]
    assert captions(family, batch) == ["Caption 2"]


def test_a_good_batch_names_no_skipped_rows(family: FamilyName) -> None:
    assert SKIPPED_KEY not in collator(family, numbered(GOOD))([{"row": 0}])


def test_a_corpus_of_bad_rows_is_an_error(family: FamilyName) -> None:
    with pytest.raises(DataError, match=r"^2 rows one after the other .* first, line 1: not a picture"):
        collator(family, numbered(BAD, BAD))([{"row": 1}])


def test_a_run_of_bad_rows_is_an_error_and_names_its_own_first_row(family: FamilyName) -> None:
    rows = numbered(BAD, GOOD, *[BAD] * (MOST_SKIPPED_IN_A_ROW + 1), GOOD)
    with pytest.raises(DataError, match=rf"^{MOST_SKIPPED_IN_A_ROW} rows .* first, line 2: not a picture"):
        collator(family, rows)([{"row": 0}, {"row": 2}])
    batch = collator(family, rows)([{"row": 4}])  # one less is passed over
    assert len(batch[SKIPPED_KEY]) == MOST_SKIPPED_IN_A_ROW - 1
    assert captions(family, batch) == [f"Caption {len(rows) - 1}"]


@pytest.mark.slow
@pytest.mark.parametrize(("start", "workers"), [("fork", 2), ("spawn", 1)])  # a spawned one loads the libraries
def test_workers_make_the_batches_that_the_trainer_itself_would(family: FamilyName, start: str, workers: int) -> None:
    maker = collator(family, [*assorted_rows(), *numbered(BAD, GOOD)], replace(ROOMY, article_tokens=10))
    examples = [{"row": number} for number in range(len(maker.corpus))]

    def batches(workers: int) -> list[dict[str, Any]]:
        return list(
            DataLoader(
                examples,  # type: ignore[arg-type]
                batch_size=2,
                collate_fn=maker,
                num_workers=workers,
                multiprocessing_context=start if workers else None,
            )
        )

    alone, helped = batches(0), batches(workers)
    assert len(alone) == len(helped) == 4
    assert sum(len(batch.pop(SKIPPED_KEY, [])) for batch in alone) == 1
    assert sum(len(batch.pop(SKIPPED_KEY, [])) for batch in helped) == 1
    for ours, theirs in zip(helped, alone, strict=True):
        check_equal(ours, theirs)
