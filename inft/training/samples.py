"""Captions of the trained model beside the corpus's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from peft import PeftModel
from transformers import GenerationConfig

from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodedRow
from inft.data.images import open_image
from inft.data.rows import UnusableRow
from inft.params import BasicParams
from inft.runs import events
from inft.runs.jsonl import Record


def evenly_spread(count: int, among: int) -> list[int]:
    """At most `count` row numbers at even distances; rows are in order of language, so all languages get their share.

    >>> evenly_spread(3, among=9), evenly_spread(5, among=2)
    ([0, 3, 6], [0, 1])
    """
    count = min(count, among)
    return [among * index // count for index in range(count)]


def generation_config(basic: BasicParams, model: PeftModel, pad_token_id: int) -> GenerationConfig:
    """How captions are generated: the checkpoint's end tokens, our sampling."""
    sampling = {"temperature": basic.gen_temperature, "top_p": basic.gen_top_p} if basic.gen_do_sample else {}
    return GenerationConfig(
        do_sample=basic.gen_do_sample,
        num_beams=basic.gen_num_beams,
        max_new_tokens=basic.gen_max_new_tokens,
        use_cache=True,  # the model's own setting is off, for training
        bos_token_id=model.generation_config.bos_token_id,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=pad_token_id,
        **sampling,
    )


def sample_captions(
    model: PeftModel,
    collator: CaptionCollator,
    rows: Sequence[int],
    *,
    basic: BasicParams,
    batch_size: int,
    step: int,
) -> Iterator[Record]:
    """A `sample` event for each of the rows, as they are generated; rows that cannot be used are left out.

    Args:
        model: base with adapters; it is in evaluation mode afterwards.
        collator: lays the prompts out; `rows` are numbers of its corpus.
        rows: which ones.
        basic: the gen_* parameters.
        batch_size: rows at a time.
        step: optimiser steps done.
    """
    tokenizer = collator.encoder.tokenizer
    settings = generation_config(basic, model, tokenizer.pad_token_id)
    model.eval()
    for start in range(0, len(rows), batch_size):
        prompts = _prompts(collator, rows[start : start + batch_size])
        if not prompts:
            continue
        batch = {name: tensor.to(model.device) for name, tensor in collator.pad_prompts(list(prompts.values())).items()}
        with torch.inference_mode(), torch.autocast(model.device.type, dtype=model.dtype):
            ids = model.generate(**batch, generation_config=settings)
        captions = tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        for number, caption in zip(prompts, captions, strict=True):
            row = collator.corpus[number]
            source = row.image.source
            yield events.sample(
                language=row.language,
                reference_caption=row.caption.strip(),
                generated_caption=caption.strip(),
                image=str(source) if isinstance(source, Path) else None,
                global_step=step,
                place=row.place,
            )


def _prompts(collator: CaptionCollator, numbers: Sequence[int]) -> dict[int, EncodedRow]:
    """The prompts of those rows that can be used, by number."""
    prompts = {}
    for number in numbers:
        with suppress(UnusableRow):
            row = collator.corpus[number]
            prompts[number] = collator.encoder.encode_prompt(row, open_image(row.image))
    return prompts
