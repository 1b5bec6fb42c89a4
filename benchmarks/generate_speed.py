"""How fast captions are generated: ours in batches, beside one row at a time.

    python -m benchmarks.generate_speed aya --rows 256 --batch-size 64
    python -m benchmarks.generate_speed llama32 --ways one,packed,held --batch-size 32,64,128

A way is `one` (a 4-bit base, one row and one `model.generate` at a time, greedy: what the guide's reference does),
`packed` (our batches on the same 4-bit base) or `held` (ours with the 4-bit values held in 16 bits, as `score` does
where there is room). All have adapters as the family's basic profile has them, and full-size models with random
weights on rows like MUNIChus's.

Random weights hardly ever choose the end token. So every row is given its end: after as many tokens as its own caption
would have (15 to 40), the end token is all that the row may choose, in each way alike. A batch goes on until its
longest caption is done, as it does with a trained model.

Rows are encoded before the clock starts; what it counts is padding, the copy to the GPU, generation, and decoding of
tokens into text. The longest rows are done once before it starts. Prints a JSON line per way and batch size.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # as a run's trainer has it

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from PIL.Image import Image
from transformers import LogitsProcessor, LogitsProcessorList

from benchmarks.our_recipe import our_adapters
from benchmarks.random_base import RandomBase, free_memory
from benchmarks.workload import CAPTION_TOKENS, KnownRows, collator_of, lengths_of, make_rows
from inft.captioning.captioner import caption_batches
from inft.captioning.order import batches_of, order_of
from inft.captioning.settings import GenerationSettings
from inft.config import Config
from inft.data.encoding import EncodedRow, EncodingLimits
from inft.data.rows import Row
from inft.machine.units import GIB
from inft.params import FamilyName
from inft.profiles import resolve

WAYS = ("one", "packed", "held")
PROFILES: dict[FamilyName, str] = {"aya": "aya_basic", "llama32": "llama_basic"}


class Ends(LogitsProcessor):
    """Leaves each row of a batch no choice but the end token once its caption is long enough.

    Args:
        tokens: of each row's caption.
        end: the end token.
    """

    def __init__(self, tokens: Sequence[int], end: int) -> None:
        self._tokens, self._end = tokens, end
        self._at: torch.Tensor | None = None
        self._step = 0

    def batch(self, rows: Sequence[int]) -> None:
        """The next batch is of these rows."""
        self._at, self._step = torch.tensor([self._tokens[row] for row in rows]), 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(B, vocabulary): the scores, or minus infinity but for the end token."""
        assert self._at is not None
        self._at = self._at.to(scores.device)
        only_end = torch.full_like(scores, -torch.inf)
        only_end[:, self._end] = 0
        never_end = scores.clone()
        never_end[:, self._end] = -torch.inf
        self._step += 1
        return torch.where((self._step > self._at).unsqueeze(1), only_end, never_end)


class KnownPrompts(KnownRows):
    """An encoder that has all prompts encoded already."""

    def encode_prompt(self, row: Row, image: Image) -> EncodedRow:
        """The row up to its caption."""
        whole = self.encode(row, image)
        length = whole.prompt_tokens
        extra = dict(whole.extra)
        if "cross_attention_mask" in extra:
            extra["cross_attention_mask"] = extra["cross_attention_mask"][:, :length]
        return replace(whole, input_ids=whole.input_ids[:length], labels=whole.labels[:length], extra=extra)


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line per way and batch size."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = RandomBase(options.family, tiny=options.tiny, device=device)
    rows = make_rows(base.family, base.architecture, base.processor, options.rows, tiny=options.tiny)
    common = {
        "benchmark": "generate_speed",
        "family": options.family,
        "tiny": options.tiny,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
    }
    one = None
    for way in options.ways:
        config = _config(options.family, held=way == "held", tiny=options.tiny)
        model = our_adapters(base, base.build(config.qlora), config)
        for size in (1,) if way == "one" else options.batch_size:
            some = rows[: options.rows_alone] if way == "one" else rows
            found = _generate(base, model, config, some, size)
            rate = found["samples_per_sec"]
            one = rate if way == "one" else one
            times = {} if one is None else {"times_one": round(rate / one, 2)}
            yield common | {"way": way, "batch_size": size} | found | times
        del model
        free_memory()


def _config(family: FamilyName, *, held: bool, tiny: bool) -> Config:
    held_setting = f"qlora.hold_dequantized={str(held).lower()}"
    workers = ["data.num_workers=0"] if tiny else []
    plain = ["sft.gradient_checkpointing=false"]
    return resolve(PROFILES[family], [held_setting, *plain, *workers]).config


def _generate(base: RandomBase, model: Any, config: Config, rows: Sequence[EncodedRow], size: int) -> dict[str, Any]:
    collator = collator_of(base.family, base.processor, rows, EncodingLimits.of(config))
    collator.encoder = KnownPrompts(collator.encoder, rows)
    captions = [len(row.input_ids) - row.prompt_tokens for row in rows]
    tokenizer = base.processor.tokenizer
    ends = Ends(captions, tokenizer.eos_token_id)
    settings = replace(GenerationSettings.greedy(config.basic), max_new_tokens=CAPTION_TOKENS[1] + 1)
    # The guide's reference takes rows as they come; the order of ours is its own.
    batches = batches_of(range(len(rows)) if size == 1 else order_of(lengths_of(base.family, rows)), size)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    generate = model.generate
    model.generate = partial(generate, logits_processor=LogitsProcessorList([ends]))
    on_gpu = base.device.type == "cuda"

    def run(some: Sequence[Sequence[int]], workers: int) -> int:
        coming = iter(some)
        made = caption_batches(
            model, collator, some, settings, workers=workers, before_batch=lambda: ends.batch(next(coming))
        )
        return sum(map(len, made))

    try:
        run(batches[:1], 0)
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        count = run(batches, 0 if size == 1 else config.data.num_workers)
        seconds = time.perf_counter() - began
    finally:
        model.generate = generate
    return {
        "rows": count,
        "seconds": round(seconds, 3),
        "samples_per_sec": round(count / seconds, 3),
        "caption_tokens_per_sec": round(sum(captions) / seconds, 1),
        "longest_prompt": max(row.prompt_tokens for row in rows),
        "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2) if on_gpu else None,
    }


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _ways(text: str) -> list[str]:
    ways = text.split(",")
    for way in ways:
        if way not in WAYS:
            raise argparse.ArgumentTypeError(f"no way {way!r}; there are {', '.join(WAYS)}")
    return ways


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=sorted(PROFILES))
    parser.add_argument("--ways", type=_ways, default="one,held", help="with commas between them")
    parser.add_argument("--rows", type=int, default=256, help="rows captioned in batches")
    parser.add_argument("--rows-alone", type=int, default=16, help="rows captioned one at a time")
    parser.add_argument("--batch-size", type=_numbers, default="64", help="with commas between them")
    parser.add_argument("--tiny", action="store_true", help="small models, also on a CPU")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    for line in measure(_parse(arguments)):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
