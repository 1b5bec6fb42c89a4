"""How fast the guide's recipe trains and how fast ours does, side by side on the same rows.

    python -m benchmarks.train_speed aya --recipes guide,fast,fast-language,small [--steps 10] [--visits 2]
    python -m benchmarks.train_speed llama32 --recipes fast,fast+data.batch_size=2
    python -m benchmarks.train_speed --from lines.jsonl --table docs/performance.md

A recipe is `guide` (TRL's SFTTrainer as the guide sets it up), `plain`, `fast` or `small` (the family's basic, fast and
small profile), or `fast-language` (adapters in the language model alone), each with further settings behind `+`. All
train full-size models with random weights on rows like MUNIChus's, 16 rows an optimiser step, in one process: every
recipe in turn, and all of them again for as many visits as are asked for. In a visit all train on the same rows in the
same order, each on a model made anew; the first step holds the longest rows and is the warm-up, which is stated apart.

Prints a JSON line per visit and one per recipe at the end; `--table` writes a table as well. Lines kept from several
calls can be put together with `--from`. `--tiny` runs small models, also on a CPU.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # as a run's trainer has it

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.marked_tables import put_table
from benchmarks.random_base import RandomBase
from benchmarks.recipes import effective_batch, parse_recipes
from benchmarks.speed_figures import summaries, table
from benchmarks.speed_visit import WARM_UP, visit
from benchmarks.workload import heaviest_first, make_rows
from inft.models.compiled import cache_compiled
from inft.project import cache_dir
from inft.training.matrix_rate import matrix_rate


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line per visit of each recipe."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = RandomBase(options.family, tiny=options.tiny, device=device)
    batch = effective_batch(options.tiny)
    steps = WARM_UP + -(-options.steps // options.visits)
    common = {"benchmark": "train_speed", "family": options.family, "tiny": options.tiny, **_machine(device)}
    for number in range(options.visits):
        seed = options.seed + number
        made = make_rows(base.family, base.architecture, base.processor, batch * steps, tiny=options.tiny, seed=seed)
        rows = heaviest_first(made, batch)
        for recipe in options.recipes:
            yield common | {"recipe": recipe.text, "seed": seed} | visit(base, recipe, rows, tiny=options.tiny)


def _machine(device: torch.device) -> dict[str, Any]:
    rate = matrix_rate(device, torch.bfloat16)
    if rate is None:
        return {"device": "CPU"}
    return {"device": torch.cuda.get_device_name(device), "matrix_tflops": round(rate / 1e12, 1)}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="?", choices=["aya", "llama32"])
    parser.add_argument("--recipes", type=parse_recipes, default="guide,fast", help="with commas between them")
    parser.add_argument(
        "--steps", type=int, default=10, help="measured optimiser steps of a recipe, all visits together"
    )
    parser.add_argument("--visits", type=int, default=2, help="how often all recipes are gone through")
    parser.add_argument("--seed", type=int, default=0, help="of the rows of the first visit")
    parser.add_argument("--tiny", action="store_true", help="small models, and an effective batch of 2")
    parser.add_argument("--table", type=Path, help="a Markdown file one of whose tables is written anew")
    parser.add_argument("--mark", default="train-speed", help="which of its tables")
    parser.add_argument("--from", dest="lines", type=Path, action="append", help="lines kept from earlier calls")
    options = parser.parse_args(arguments)
    if (options.family is None) == (options.lines is None):
        parser.error("name a family to measure, or lines to put together with --from")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    cache_compiled(cache_dir() / "compiled")
    options = _parse(arguments)
    lines = []
    if options.lines:
        kept = [json.loads(line) for path in options.lines for line in path.read_text().splitlines()]
        lines = [line for line in kept if line.get("benchmark") == "train_speed"]
    else:
        for line in measure(options):
            print(json.dumps(line), flush=True)
            lines.append(line)
    found = summaries(lines)
    for summary in found:
        print(json.dumps(summary), flush=True)
    if options.table:
        put_table(options.table, options.mark, table(found))


if __name__ == "__main__":
    main()
