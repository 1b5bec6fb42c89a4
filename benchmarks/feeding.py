"""How many news photos a second the data workers hand to the trainer: `python -m benchmarks.feeding [--workers 1,2,4]`.

The trainer's own loader, with its workers, its queue and its pinned memory, as the family's fast profile sets it up:
it reads the demo corpus's pictures from JPEG files of 976x549 (most of MUNIChus), decodes them, cuts them into the
released checkpoints' tiles and packs them with articles of 1,200 characters into micro-batches. Nothing is trained
meanwhile. The tokenizer is a small one, which makes more tokens of a text than the released.

Prints a JSON line per family and number of workers. As long as the figure is above what a recipe trains on in a second,
the card never waits for data.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.full_size import PHOTO_SIZE, write_corpus
from benchmarks.our_recipe import our_adapters, our_trainer
from benchmarks.random_base import RandomBase
from benchmarks.recipes import Recipe
from inft.config import Config
from inft.data.encoding import EncodingLimits
from inft.data.munichus import load_rows
from inft.data.rows import Corpus, Row
from inft.forecast.row_lengths import RowLengths
from inft.models.registry import FAMILIES
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts
from inft.params import LANGUAGE_NAMES, FamilyName, MUNIChusLoadConfig
from inft.training.meter import StepMeter

QUEUED = 2
"""Micro-batches that a loader keeps ready for each worker; they are no measure of its pace."""


class Repeated:
    """A corpus whose rows come again and again."""

    def __init__(self, corpus: Corpus, count: int) -> None:
        self._corpus = corpus
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Row:
        return self._corpus[range(self._count)[index] % len(self._corpus)]


def measure(family: FamilyName, folder: Path, workers: int, batches: int) -> dict[str, Any]:
    """The pace of the loader once its queue is empty.

    Args:
        family: whose pictures and texts.
        folder: of the corpus.
        workers: processes.
        batches: micro-batches of each worker that are counted.
    """
    config = Recipe("fast").config(family, tiny=False, steps=1)
    config = replace(config, data=replace(config.data, num_workers=workers))
    micro = config.data.batch_size
    skipped, counted = QUEUED * workers + 1, batches * workers
    # Workers make batches ahead: without some behind those that are counted, the last would come with nobody working.
    corpus = Repeated(_rows(folder), (skipped + counted + QUEUED * workers) * micro)
    marks = _arrivals(family, config, corpus, skipped + counted)
    seconds = marks[-1] - marks[skipped]
    return {
        "benchmark": "feeding",
        "family": family,
        "photo": "x".join(map(str, PHOTO_SIZE)),
        "workers": workers,
        "micro_batch": micro,
        "pinned": torch.cuda.is_available(),
        "samples": counted * micro,
        "samples_per_sec": round(counted * micro / seconds, 2),
        "first_batch_sec": round(marks[1] - marks[0], 2),
        "longest_wait_sec": round(max(b - a for a, b in zip(marks[skipped:], marks[skipped + 1 :], strict=False)), 3),
    }


def _rows(folder: Path) -> Corpus:
    return load_rows(MUNIChusLoadConfig(source="jsonl", path=str(folder)), root=folder, split="train")


def _arrivals(family: FamilyName, config: Config, corpus: Corpus, count: int) -> list[float]:
    """When the loader was asked, and when each of its first `count` micro-batches came."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = RandomBase(family, tiny=True, device=device)  # the trainer wants a model; nothing is asked of it
    model = our_adapters(base, base.build(config.qlora), config)
    processor = build_processor(family, demo_texts(), RELEASED_TILE_PIXELS[family])
    collator = FAMILIES[family].collator(processor, corpus, LANGUAGE_NAMES, EncodingLimits.of(config))
    lengths = RowLengths()
    for _ in range(len(corpus)):
        lengths.add(tokens=1, tiles=1, supervised=1, cut=0, language=0)  # which rows are heavy is not asked
    with our_trainer(base, model, config, collator, lengths, meter=StepMeter(), callbacks=[]) as trainer:
        loader = trainer.get_train_dataloader()
        marks = [time.perf_counter()]
        batches = iter(loader)
        for _ in range(count):
            next(batches)
            marks.append(time.perf_counter())
        del batches  # ends the workers
    return marks


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", default=["aya", "llama32"])
    parser.add_argument("--workers", type=lambda text: [int(one) for one in text.split(",")], default="1,2,4")
    parser.add_argument("--batches", type=int, default=8, help="micro-batches of each worker that are counted")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder))
        for family in options.families:
            for workers in options.workers:
                print(json.dumps(measure(family, Path(folder), workers, options.batches)), flush=True)


if __name__ == "__main__":
    main()
