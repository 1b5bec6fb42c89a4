"""How fast one worker makes batches of news photos: `python -m benchmarks.collation [--rows 24]`.

The released checkpoints' tile sizes (560 pixels Llama, 364 Aya), the demo corpus's pictures as JPEG files of 976x549
and articles of 1,200 characters; the tokenizer is a small one, which makes more tokens of a text than the released.
Prints a JSON line per family: samples/s of one process with one thread, and where the time goes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.full_size import write_corpus
from inft.data.encoding import EncodingLimits
from inft.data.images import open_image
from inft.data.munichus import load_rows
from inft.models.registry import FAMILIES
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts
from inft.params import LANGUAGE_NAMES, FamilyName, MUNIChusLoadConfig

LIMITS = EncodingLimits(max_length=4096, article_chars=1200, article_tokens=None, include_title=False)


def measure(family: FamilyName, corpus: Path, rows: int, batch: int) -> dict[str, object]:
    """Collates `rows` rows in batches."""
    config = MUNIChusLoadConfig(source="jsonl", path=str(corpus))
    selection = load_rows(config, root=corpus, split="train")
    processor = build_processor(family, demo_texts(), RELEASED_TILE_PIXELS[family])
    collator = FAMILIES[family].collator(processor, selection, LANGUAGE_NAMES, LIMITS)
    step = max(1, len(selection) // rows)
    numbers = [index * step % len(selection) for index in range(rows)]
    collator([{"row": numbers[0]}])

    began = time.perf_counter()
    for number in numbers:
        open_image(selection[number].image)
    decoding = time.perf_counter() - began

    tokens = 0
    began = time.perf_counter()
    for start in range(0, rows, batch):
        made = collator([{"row": number} for number in numbers[start : start + batch]])
        tokens += int(made["attention_mask"].sum())
    seconds = time.perf_counter() - began
    return {
        "benchmark": "collation",
        "family": family,
        "micro_batch": batch,
        "rows": rows,
        "tokens_per_row": round(tokens / rows),
        "samples_per_sec_per_worker": round(rows / seconds, 2),
        "ms_per_sample": round(1000 * seconds / rows, 1),
        "of_which_decoding_ms": round(1000 * decoding / rows, 1),
    }


def main() -> None:
    """Measures both families, one row and four rows at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=24)
    rows = parser.parse_args().rows
    torch.set_num_threads(1)  # as in a DataLoader's worker
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder))
        for family in FAMILIES:
            for batch in (1, 4):
                print(json.dumps(measure(family, Path(folder), rows, batch)), flush=True)


if __name__ == "__main__":
    main()
