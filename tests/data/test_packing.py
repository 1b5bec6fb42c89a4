"""Rows end to end: each keeps its own tokens, places and pictures, and what is handed over says whose is what."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.data._utils.pin_memory import pin_memory

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX
from inft.data.packing import PackingCollator
from inft.data.rows import Row
from inft.params import FamilyName
from tests.data.corpora import picture
from tests.processors import BOTH, collator, demo_rows

SIZES = ((30, 30), (240, 40), (97, 55))


def rows() -> list[Row]:
    """Of several languages, lengths and tiles."""
    return [
        replace(row, content=row.content[: 60 * number], image=replace(row.image, source=picture(size=size)))
        for number, size in enumerate(SIZES)
        for row in [demo_rows("train")[number * 40]]
    ]


def packing(family: FamilyName) -> tuple[CaptionCollator, PackingCollator]:
    maker = collator(family, rows())
    return maker, PackingCollator(maker, torch.bfloat16)


@pytest.mark.parametrize("family", BOTH)
class TestAMicroBatch:
    def test_is_its_rows_one_behind_the_other(self, family: FamilyName) -> None:
        maker, packer = packing(family)
        packed = packer([{"row": number} for number in range(3)])
        alone = [maker([{"row": number}]) for number in range(3)]
        tensors = packed.tensors
        assert packed.lengths == tuple(batch["input_ids"].size(1) for batch in alone)
        assert len(set(packed.lengths)) == 3
        assert packed.tiles == tuple(int(maker.batch_tiles(batch)) for batch in alone)
        assert len(set(packed.tiles)) > 1
        assert packed.skipped == ()
        assert (tensors["row_starts"].dtype, tensors["row_starts"][0]) == (torch.int32, 0)
        assert tensors["row_starts"].diff().tolist() == list(packed.lengths)
        for name in ("input_ids", "position_ids", "places", "targets"):
            assert tensors[name].dtype == torch.int64
        ids, positions = (tensors[name].split(packed.lengths) for name in ("input_ids", "position_ids"))
        for batch, own, counted in zip(alone, ids, positions, strict=True):
            assert torch.equal(own, batch["input_ids"][0])
            assert torch.equal(counted, torch.arange(len(own)))

    def test_learns_what_each_row_alone_would(self, family: FamilyName) -> None:
        maker, packer = packing(family)
        packed = packer([{"row": number} for number in range(3)])
        expected, first = [], 0
        for number, length in enumerate(packed.lengths):
            labels = maker([{"row": number}])["labels"][0]
            pairs = [(first + place, int(label)) for place, label in enumerate(labels[1:]) if label != IGNORE_INDEX]
            expected += pairs
            first += length
            assert pairs[-1][0] < first - 1, "the last token of a row would predict the next one's first"
        found = list(zip(packed.tensors["places"].tolist(), packed.tensors["targets"].tolist(), strict=True))
        assert found == expected
        assert packed.supervised == len(expected)

    def test_says_where_each_picture_stands(self, family: FamilyName) -> None:
        maker, packer = packing(family)
        packed = packer([{"row": number} for number in range(3)])
        begins = "<|START_OF_IMG|>" if family == "aya" else "<|image|>"
        token = maker.encoder.tokenizer.convert_tokens_to_ids(begins)
        for own, start in zip(packed.tensors["input_ids"].split(packed.lengths), packed.picture_starts, strict=True):
            assert (own == token).nonzero()[0] == start > 0

    def test_hands_over_the_pictures_in_half_the_bytes(self, family: FamilyName) -> None:
        maker, packer = packing(family)
        packed = packer([{"row": number} for number in range(3)])
        padded = maker([{"row": number} for number in range(3)])
        pixels = packed.tensors["pixel_values"]
        assert pixels.dtype == torch.bfloat16
        assert torch.equal(pixels, padded["pixel_values"].to(torch.bfloat16).reshape(pixels.shape))
        if family == "aya":
            image = padded["input_ids"].new_tensor(maker.encoder.processor.image_token_id)
            places = (packed.tensors["input_ids"] == image).nonzero().squeeze(1)
            assert torch.equal(packed.tensors["picture_places"], places)
        else:
            assert torch.equal(packed.tensors["aspect_ratio_ids"], padded["aspect_ratio_ids"])

    def test_comes_whole_out_of_a_worker(self, family: FamilyName) -> None:
        _, packer = packing(family)
        packed = packer([{"row": 1}, {"row": 0}])
        again = pickle.loads(pickle.dumps(packed))
        assert replace(again, tensors={}) == replace(packed, tensors={})
        assert all(torch.equal(again.tensors[name], tensor) for name, tensor in packed.tensors.items())

    def test_has_the_next_usable_row_in_the_place_of_another(self, family: FamilyName) -> None:
        corpus = rows()
        corpus[1] = replace(corpus[1], image=replace(corpus[1].image, source=b"no picture"))
        packer = PackingCollator(collator(family, corpus), torch.bfloat16)
        packed, whole = packer([{"row": 0}, {"row": 1}]), packer([{"row": 0}, {"row": 2}])
        assert [row.place for row in packed.skipped] == [corpus[1].place]
        assert torch.equal(packed.tensors["input_ids"], whole.tensors["input_ids"])

    def test_is_moved_with_all_that_belongs_to_it(self, family: FamilyName, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is no GPU here: "meta" stands for it, and memory is only said to be pinned."""
        _, packer = packing(family)
        packed = packer([{"row": 0}, {"row": 1}])
        copies: list[dict[str, object]] = []
        to = Tensor.to
        monkeypatch.setattr(Tensor, "to", lambda tensor, *where, **how: copies.append(how) or to(tensor, *where, **how))
        moved = packed.to(torch.device("meta"))
        assert copies == [{"non_blocking": True}] * len(packed.tensors), "a copy would be waited for"
        assert {name: tensor.device.type for name, tensor in moved.tensors.items()} == dict.fromkeys(
            packed.tensors, "meta"
        )
        pinned: list[Tensor] = []
        monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
        again = pin_memory(packed)  # as a DataLoader does it
        assert again is not packed
        assert [id(tensor) for tensor in pinned] == [id(tensor) for tensor in packed.tensors.values()]
        assert replace(again, tensors={}) == replace(moved, tensors={}) == replace(packed, tensors={})
