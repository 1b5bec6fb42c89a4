"""Whether every way of doing a step gives the same numbers: loss and gradients of all adapters on the same 16 rows.

    python -m benchmarks.same_numbers aya --ways plain,plain+data.batch_size=4,fast --reference [--tiny]

A way is a recipe of `benchmarks.train_speed` without dropout; each does one optimiser step, on a model made anew with
the same weights, the cross-attention gates open, adapters that say something and no clipping. The first way is what the
others are held against. How far the plain path is from itself at another micro-batch is what bf16 alone does.
`--reference` adds the plain path in fp32, on the values that the 4-bit weights stand for, which shows how far every way
is from the truth.

Prints a JSON line per way: the loss; relative differences of the loss and, as |a - b| / |b|, of the gradients, in all
and for each part of the model. `--table` writes a table as well; lines kept from several calls can be put together with
`--from`.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # as a run's trainer has it

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from benchmarks.marked_tables import put_table
from benchmarks.our_recipe import our_adapters, our_trainer
from benchmarks.random_base import RandomBase, free_memory
from benchmarks.recipes import GUIDE, effective_batch, parse_recipes
from benchmarks.workload import collator_of, lengths_of, make_rows
from inft.config import Config
from inft.data.encoding import EncodedRow, EncodingLimits
from inft.models.compiled import cache_compiled
from inft.project import cache_dir
from inft.training.meter import StepMeter

SETTINGS = ("lora.dropout=0", "sft.max_grad_norm=1e9", "data.num_workers=0")
REFERENCE = "reference"
SPEAKING = 0.02
"""Spread of the adapters' second matrices, which are zero when fresh: the first ones would have no gradient."""


@dataclass(frozen=True)
class Numbers:
    """What one optimiser step comes to.

    Attributes:
        gradients: by parameter, in fp32 on the host.
    """

    loss: float
    gradients: Mapping[str, torch.Tensor]


class KeepGradients(TrainerCallback):
    """Takes what the optimiser is about to use."""

    def __init__(self) -> None:
        self.gradients: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, *args: Any, model: nn.Module, **kwargs: Any) -> None:
        """All micro-batches of the step are through."""
        found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
        self.gradients = {name: gradient.float().cpu().clone() for name, gradient in found.items()}


def numbers_of(base: RandomBase, config: Config, rows: Sequence[EncodedRow], *, exact: bool = False) -> Numbers:
    """One optimiser step over `rows`.

    Args:
        base: makes the model.
        config: the way.
        rows: of the step.
        exact: everything in fp32.
    """
    built = base.build(replace(config.qlora, hold_dequantized=True) if exact else config.qlora)
    if exact:
        built = nn.Module.float(built)  # transformers refuses it for what was quantised
        config = replace(config, qlora=replace(config.qlora, bnb_4bit_compute_dtype="float32"))
    model = our_adapters(base, built, config)
    generator = torch.Generator(base.device).manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(0, SPEAKING, generator=generator)
    collator = collator_of(base.family, base.processor, rows, EncodingLimits.of(config))
    kept, lengths = KeepGradients(), lengths_of(base.family, rows)
    with our_trainer(base, model, config, collator, lengths, meter=StepMeter(), callbacks=[kept]) as trainer:
        trainer.train()
        (loss,) = (entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    return Numbers(loss, kept.gradients)


def difference(found: Numbers, other: Numbers, group: Callable[[str], str]) -> dict[str, Any]:
    """How far `found` is from `other`, in units of `other`.

    Args:
        found: of one way.
        other: of another one, with gradients of the same parameters.
        group: the part of the model that a parameter belongs to.
    """
    squares: dict[str, list[float]] = {}
    for name, expected in other.gradients.items():
        for part in ("all", group(name)):
            sums = squares.setdefault(part, [0.0, 0.0])
            sums[0] += float((found.gradients[name] - expected).square().sum(dtype=torch.float64))
            sums[1] += float(expected.square().sum(dtype=torch.float64))
    return {
        "loss": abs(found.loss / other.loss - 1),
        "gradient": {part: math.sqrt(apart / size) for part, (apart, size) in squares.items()},
    }


def compare(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line per way, the reference first."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = RandomBase(options.family, tiny=options.tiny, device=device)
    batch = effective_batch(options.tiny)
    rows = make_rows(base.family, base.architecture, base.processor, batch, tiny=options.tiny, seed=options.seed)
    reference: Numbers | None = None
    first: Numbers | None = None
    ways = [(REFERENCE, options.ways[0])] if options.reference else []
    for name, way in [*ways, *((way.text, way) for way in options.ways)]:
        config = way.config(options.family, tiny=options.tiny, steps=1, further=SETTINGS)
        found = numbers_of(base, config, rows, exact=name == REFERENCE)
        torch._dynamo.reset()
        free_memory()
        line = {"benchmark": "same_numbers", "family": options.family, "way": name, "loss": found.loss}
        if first is not None:
            line["against_first"] = difference(found, first, base.family.group)
        if reference is not None:
            line["against_reference"] = difference(found, reference, base.family.group)
        if name == REFERENCE:
            reference = found
        else:
            first = first or found
        yield line


HEADER = (
    "| model | way | loss, off the first | gradient, off the first | loss, off fp32 | gradient, off fp32 |",
    "|---|---|---|---|---|---|",
)


def table(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of a Markdown table; those of fp32 itself are left out."""
    rows = []
    for line in lines:
        if line["way"] != REFERENCE:
            way, *settings = line["way"].split("+")
            cells = [line["family"], ", ".join([way, *(f"`{setting}`" for setting in settings)])]
            for other in ("against_first", "against_reference"):
                cells += _shares(line[other]) if other in line else ["", ""]
            rows.append(f"| {' | '.join(cells)} |")
    return [*HEADER, *rows]


def _shares(apart: Mapping[str, Any]) -> list[str]:
    parts = apart["gradient"]
    of_parts = ", ".join(f"{part} {100 * share:.2f} %" for part, share in parts.items() if part != "all")
    return [f"{apart['loss']:.1e}", f"{100 * parts['all']:.2f} % ({of_parts})"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    cache_compiled(cache_dir() / "compiled")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="?", choices=["aya", "llama32"])
    parser.add_argument("--ways", type=parse_recipes, default="plain,plain+data.batch_size=4,fast")
    parser.add_argument("--reference", action="store_true", help="compare with fp32, too")
    parser.add_argument("--seed", type=int, default=0, help="of the rows")
    parser.add_argument("--tiny", action="store_true", help="small models, and an effective batch of 2")
    parser.add_argument("--table", type=Path, help="a Markdown file whose table is written anew")
    parser.add_argument("--from", dest="lines", type=Path, action="append", help="lines kept from earlier calls")
    options = parser.parse_args(arguments)
    if (options.family is None) == (options.lines is None):
        parser.error("name a family to measure, or lines to put together with --from")
    if any(way.name == GUIDE for way in options.ways):
        parser.error("the guide's recipe has dropout; `plain` is the same without")
    lines = []
    if options.lines:
        lines = [json.loads(line) for path in options.lines for line in path.read_text().splitlines()]
    else:
        for line in compare(options):
            print(json.dumps(line), flush=True)
            lines.append(line)
    if options.table:
        put_table(options.table, "same-numbers", table(lines))


if __name__ == "__main__":
    main()
