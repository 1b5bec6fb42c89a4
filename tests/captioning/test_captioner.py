"""A batch's captions are those of its rows one at a time, whatever the model was doing before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache as once
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from inft.captioning.captioner import WROTE_NOTHING, Caption, caption_batches, caption_rows
from inft.captioning.settings import GenerationSettings
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodingLimits
from inft.data.rows import ImageRef, Row
from inft.models.adapters import add_adapters
from inft.models.checkpoint import load_processor
from inft.models.layers import set_up_layers
from inft.models.registry import FAMILIES
from inft.models.tiny import tiny_checkpoint
from inft.params import FamilyName
from tests.models.bases import demo, load
from tests.processors import BOTH, blank, demo_rows

SETTINGS_OF_ALL = ("basic.dtype=float32", "data.article_chars=200")

ROWS = range(6)
SETTINGS = GenerationSettings(do_sample=False, temperature=1.0, top_p=1.0, num_beams=1, max_new_tokens=12, seed=0)


class Rows:
    """Rows of the demo corpus, each with a longer article than the one before; two have no picture to show."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        row = replace(self._rows[index], content=self._rows[index].content[: 30 * index])
        if index == 1:
            return replace(row, image=ImageRef(b"", row.place))
        return replace(row, image=ImageRef(b"no picture", row.place)) if index == 4 else row


@once
def model_of(name: FamilyName, folder: Path, *, in_4bit: bool) -> tuple[Any, CaptionCollator, Config]:
    """With adapters that do something; in training mode."""
    overrides = (*SETTINGS_OF_ALL, f"qlora.load_in_4bit={str(in_4bit).lower()}")
    config, family = demo(name, *overrides)
    base = in_fp32(load(folder, name, *overrides))
    torch.manual_seed(0)  # with this one, none of these rows chooses the end token at once
    model, _ = add_adapters(base, config, family)
    for path, parameter in model.named_parameters():
        if "lora_B" in path:
            parameter.data.normal_(0, 0.02)
    processor = load_processor(folder, family)
    rows = Rows([demo_rows("train")[number] for number in (0, 20, 40, 50, 80, 85)])
    collator = family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))
    model.train()
    return model, collator, config


def in_fp32(model: Any) -> Any:
    """Computes in fp32, also with 4-bit weights.

    In 16 bits, sums of another order are rounded elsewhere, and a tiny random model then chooses another token.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype, module.compute_type_is_set = torch.float32, True
    return torch.nn.Module.float(model)  # transformers refuses this for 4-bit models


def captions(batches: Iterator[list[Caption]]) -> list[Caption]:
    return [caption for batch in batches for caption in batch]


@pytest.mark.parametrize("in_4bit", [False, True])
@pytest.mark.parametrize("name", BOTH)
def test_batched_captions_are_those_of_one_row_at_a_time(name: FamilyName, in_4bit: bool, cache: Path) -> None:
    model, collator, _ = model_of(name, tiny_checkpoint(name, cache), in_4bit=in_4bit)
    lengths = {len(collator.encoder.encode_prompt(collator.corpus[row], blank()).input_ids) for row in (0, 2, 3, 5)}
    assert len(lengths) == 4, "nothing would be padded"
    before = torch.get_rng_state()
    single = captions(caption_rows(model, collator, ROWS, SETTINGS, batch_size=1))
    batched = captions(caption_rows(model, collator, ROWS, SETTINGS, batch_size=6))
    assert batched == single
    assert [caption.row for caption in batched] == list(ROWS)
    assert [caption.row for caption in batched if caption.failure] == [1, 4], batched
    assert all(bool(caption.text) != bool(caption.failure) for caption in batched)
    assert len({caption.text for caption in batched}) == 5, "the rows make no difference"
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", BOTH)
def test_how_the_model_trains_makes_no_difference(name: FamilyName, cache: Path) -> None:
    folder = tiny_checkpoint(name, cache)
    model, collator, config = model_of(name, folder, in_4bit=False)
    before = captions(caption_rows(model, collator, ROWS, SETTINGS, batch_size=3))
    training = replace(config, sft=replace(config.sft, gradient_checkpointing=True, padding_free=True))
    set_up_layers(model, training, FAMILIES[name], lambda done, total: None, lambda text: None)
    model_of.cache_clear()
    after = captions(caption_batches(model, collator, [[0, 1, 2], [3, 4, 5]], SETTINGS, workers=1))
    assert after == before


def test_a_batch_too_large_for_the_memory_is_made_in_halves(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, collator, _ = model_of("aya", tiny_checkpoint("aya", cache), in_4bit=False)
    whole = captions(caption_rows(model, collator, ROWS, SETTINGS, batch_size=6))
    generate, sizes = model.generate, []

    def small(input_ids: torch.Tensor, **inputs: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(input_ids=input_ids, **inputs)

    monkeypatch.setattr(model, "generate", small)
    assert captions(caption_batches(model, collator, [ROWS, [0, 2, 3]], SETTINGS)) == [*whole, whole[0], *whole[2:4]]
    assert sizes == [4, 2, 2, 2, 1], "what did not fit once is tried again"

    def none(**inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "generate", none)
    with pytest.raises(torch.OutOfMemoryError):
        captions(caption_rows(model, collator, [0], SETTINGS, batch_size=1))
    assert model.training


def test_what_goes_on_after_memory_ran_out_is_made_in_the_same_parts(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, collator, _ = model_of("llama32", tiny_checkpoint("llama32", cache), in_4bit=False)
    drawn = replace(SETTINGS, do_sample=True, temperature=0.7, top_p=0.9, max_new_tokens=4)
    batches = [[0], [5, 3, 2, 0], [3, 2]]
    generate, rooms = model.generate, iter([1, 2, 2, 1])

    def shrinking(input_ids: torch.Tensor, **inputs: Any) -> Any:
        if len(input_ids) > next(rooms, 1):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(input_ids=input_ids, **inputs)

    fewer: list[int] = []
    with monkeypatch.context() as short:
        short.setattr(model, "generate", shrinking)
        cut = list(caption_batches(model, collator, batches, drawn, on_fewer=fewer.append))
    assert fewer == [1], "two rows fitted once, and then no more: the whole batch is made of single rows"
    assert list(caption_batches(model, collator, batches[1:], drawn, at_most=1)) == cut[1:]
    assert list(caption_batches(model, collator, batches[1:], drawn)) != cut[1:], "the parts make no difference"


@pytest.mark.parametrize("name", BOTH)
def test_what_is_drawn_from_is_the_reference_s_distribution(name: FamilyName, cache: Path) -> None:
    model, _, _ = model_of(name, tiny_checkpoint(name, cache), in_4bit=False)
    told = replace(SETTINGS, do_sample=True, temperature=0.7).for_model(model, pad_token_id=0)
    head = model.get_output_embeddings()
    hidden = torch.randn(3, head.in_features)
    theirs = hidden @ head.weight.T  # transformers leaves Aya's factor out
    torch.testing.assert_close(head(hidden) / told.temperature, theirs / 0.7)


def test_what_is_drawn_depends_on_the_rows_and_the_seed_alone(cache: Path) -> None:
    model, collator, _ = model_of("llama32", tiny_checkpoint("llama32", cache), in_4bit=False)
    drawn = replace(SETTINGS, do_sample=True, temperature=0.7, top_p=0.9, max_new_tokens=4)
    both = captions(caption_rows(model, collator, [0, 2, 3, 5], drawn, batch_size=2))
    torch.manual_seed(99)
    assert captions(caption_rows(model, collator, [3, 5], drawn, batch_size=2)) == both[2:]
    other = captions(caption_rows(model, collator, [3, 5], replace(drawn, seed=1), batch_size=2))
    assert other != both[2:]


def test_the_checkpoint_s_own_sampling_is_left_aside(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, collator, _ = model_of("llama32", tiny_checkpoint("llama32", cache), in_4bit=False)
    greedy = captions(caption_rows(model, collator, [0, 2], SETTINGS, batch_size=2))
    for name, value in {"do_sample": True, "temperature": 5.0, "top_k": 3, "repetition_penalty": 9.0}.items():
        monkeypatch.setattr(model.generation_config, name, value)
    assert captions(caption_rows(model, collator, [0, 2], SETTINGS, batch_size=2)) == greedy


def test_an_end_on_the_way_leaves_the_model_training(cache: Path) -> None:
    model, collator, _ = model_of("llama32", tiny_checkpoint("llama32", cache), in_4bit=False)
    made: list[list[Caption]] = []

    def before_batch() -> None:
        if made:
            raise KeyboardInterrupt

    batches = caption_rows(model, collator, ROWS, SETTINGS, batch_size=2, before_batch=before_batch)
    made.append(next(batches))
    assert not model.training
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    assert [caption.row for caption in made[0]] == [0, 1]
    assert model.training


def test_an_answer_of_nothing_is_a_failure(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, collator, _ = model_of("llama32", tiny_checkpoint("llama32", cache), in_4bit=False)

    def nothing(input_ids: torch.Tensor, **inputs: Any) -> torch.Tensor:
        return torch.nn.functional.pad(input_ids, (0, 1), value=collator.encoder.tokenizer.eos_token_id)

    monkeypatch.setattr(model, "generate", nothing)
    assert captions(caption_rows(model, collator, [0], SETTINGS, batch_size=1)) == [Caption(0, "", WROTE_NOTHING)]
