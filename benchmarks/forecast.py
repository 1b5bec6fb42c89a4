"""The memory forecast against the card: full-size models with random weights, the real trainer, one micro-batch shape.

    python -m benchmarks.forecast [aya llama32] [--only cases|limits] [--table docs/memory.md]

Each case trains two optimiser steps of two micro-batches on rows of a given length and number of tiles, and compares
PyTorch's peak with `inft.forecast`. Then the process is restricted to 12, 16 and 24 GiB and runs, at each, what
`sft.fit = "auto"` plans for rows like MUNIChus's, and the smallest faster way, which must not fit. Prints one JSON line
per case; `--table` writes them into the tables of a Markdown file as well.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # as a run's trainer has it

import argparse
import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, TrainerCallback

from benchmarks.forecast_cases import CASES, LIMITS, PROFILES, SUPERVISED, Case
from benchmarks.marked_tables import put_table
from benchmarks.our_recipe import our_adapters, our_trainer
from benchmarks.random_base import RandomBase, free_memory
from benchmarks.workload import ORDINARY, collator_of, lengths_of
from inft.config import Config
from inft.data.encoding import IGNORE_INDEX, EncodedRow, EncodingLimits
from inft.forecast.architecture import architecture_of
from inft.forecast.choice import Choice, describe, with_choice
from inft.forecast.lengths import BatchShape, assumed_lengths
from inft.forecast.memory import CONTEXT_BYTES, of_shape
from inft.forecast.plan import choose
from inft.machine.units import GIB
from inft.models.released import RELEASED
from inft.params import FamilyName
from inft.profiles import resolve
from inft.training.meter import StepMeter

SHRINKING = 0.03
"""Of rows that are padded each is so much shorter than the one before, as a share of the first one's length."""


class Base:
    """A base of the released architecture, to put adapters on again and again."""

    def __init__(self, name: FamilyName) -> None:
        self.random = RandomBase(name, tiny=False, device=torch.device("cuda"))
        self.model: PreTrainedModel | None = None
        self._settings: tuple[object, ...] = ()

    def use(self, config: Config) -> PreTrainedModel:
        """The base as the configuration holds it."""
        # Norms that have been narrowed for rows that lie end to end stay so.
        wanted = (config.qlora.hold_dequantized, config.qlora.skip_modules, config.sft.padding_free)
        if self.model is None or wanted != self._settings:
            self.model, self._settings = None, wanted
            free_memory()
            self.model = self.random.build(config.qlora)
        self.model.gradient_checkpointing_disable()
        for module in self.model.modules():
            module.__dict__.pop("forward", None)  # what recomputation, compiling and TRL put there for the case before
        torch._dynamo.reset()
        self.model.set_attn_implementation("eager" if config.basic.attn_impl == "eager" else "sdpa")
        return self.model


def measure(base: Base, config: Config, shape: BatchShape) -> dict[str, object]:
    """Trains two steps on micro-batches of `shape`; peak and time, or that it ran out of memory."""
    adapted: PeftModel | None = None
    began = time.perf_counter()
    model = base.use(config)
    held = torch.cuda.memory_allocated()
    try:
        torch.cuda.reset_peak_memory_stats()
        adapted = our_adapters(base.random, model, config)
        seconds = _train(base.random, adapted, config, shape)
        return {
            "base_gib": round(held / GIB, 2),
            "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
            "reserved_gib": round(torch.cuda.max_memory_reserved() / GIB, 2),
            "seconds_per_row": round(seconds / shape.rows, 3),
            "wall_sec": round(time.perf_counter() - began, 1),
        }
    except torch.cuda.OutOfMemoryError as error:
        return {"out_of_memory": str(error).split(". ")[0]}
    finally:
        if adapted is not None:
            base.model = adapted.unload()
        free_memory()


def _train(base: RandomBase, model: PeftModel, config: Config, shape: BatchShape) -> float:
    """Seconds of the fastest micro-batch."""
    rows = _rows(base, config, shape) * (config.sft.gradient_accumulation_steps * 2)
    collator = collator_of(base.family, base.processor, rows, EncodingLimits.of(config))
    clock = _Clock()
    lengths = lengths_of(base.family, rows)
    with our_trainer(base, model, config, collator, lengths, meter=StepMeter(), callbacks=[clock]) as trainer:
        trainer.train()
    return min(clock.seconds)


class _Clock(TrainerCallback):
    """Notes how long the first micro-batch of each step takes; a step has more than one."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """The step's batches are there."""
        torch.cuda.synchronize()
        self._began = time.perf_counter()

    def on_substep_end(self, *args: Any, **kwargs: Any) -> None:
        """A micro-batch went forward and backward that is not its step's last."""
        torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self._began)
        self._began = time.perf_counter()


def _rows(base: RandomBase, config: Config, shape: BatchShape) -> list[EncodedRow]:
    """Random rows that make a micro-batch of `shape`, the longest first."""
    if config.sft.padding_free:
        each, left = divmod(shape.all_tokens, shape.rows)
        lengths = [each + (row < left) for row in range(shape.rows)]
    else:
        lengths = [int(shape.tokens * (1 - SHRINKING * row)) for row in range(shape.rows)]
    generator = torch.Generator().manual_seed(0)
    return [_row(base, length, shape.tiles // shape.rows, generator) for length in lengths]


def _row(base: RandomBase, tokens: int, tiles: int, generator: torch.Generator) -> EncodedRow:
    vision, image = base.architecture.vision, base.processor.image_token_id
    below = min(ORDINARY[1], base.architecture.text.vocabulary - 16)
    ids = torch.randint(ORDINARY[0], below, (tokens,), generator=generator)
    labels = torch.full_like(ids, IGNORE_INDEX)
    labels[-SUPERVISED:] = ids[-SUPERVISED:]
    of_picture = 1 if vision.max_tiles else tiles * vision.patches_per_tile // base.architecture.downsample**2
    span = (5, 5 + of_picture)
    ids[slice(*span)] = image
    pixels = torch.randn(tiles, 3, vision.tile_pixels, vision.tile_pixels, generator=generator)
    extra = (
        {"pixel_values": pixels} if not vision.max_tiles else _llama_inputs(pixels, tokens, span[0], vision.max_tiles)
    )
    return EncodedRow(ids, labels, extra, prompt_tokens=tokens - SUPERVISED, image_span=span, article_cut="")


def _llama_inputs(pixels: torch.Tensor, tokens: int, start: int, most: int) -> dict[str, torch.Tensor]:
    tiles = len(pixels)
    of_picture = torch.zeros(1, 1, most, dtype=torch.long)
    of_picture[..., :tiles] = 1
    crossing = torch.zeros(1, tokens, 1, most, dtype=torch.long)
    crossing[:, start:, :, :tiles] = 1
    return {
        "pixel_values": torch.cat([pixels, pixels.new_zeros(most - tiles, *pixels.shape[1:])])[None, None],
        "aspect_ratio_mask": of_picture,
        "aspect_ratio_ids": torch.full((1, 1), tiles),
        "cross_attention_mask": crossing,
    }


def compare(base: Base, case: Case) -> dict[str, Any]:
    """One line of the table."""
    name = base.random.family.name
    measured = measure(base, case.config(name), case.shape)
    return renewed({"kind": "forecast", "family": name, **asdict(case), **measured})


def renewed(line: dict[str, Any]) -> dict[str, Any]:
    """A measured line with today's forecast; how a limit was judged stays as it was."""
    if line["kind"] != "forecast":
        return line
    case = Case(line["rows"], line["tokens"], line["tiles"], tuple(line["settings"]))
    name: FamilyName = line["family"]
    expected = of_shape(case.config(name), architecture_of(name, RELEASED[name]), case.shape)
    forecast_gib = expected.peak_bytes / GIB
    off = {"off_percent": round(100 * (forecast_gib / line["peak_gib"] - 1), 1)} if "peak_gib" in line else {}
    return line | {"forecast_gib": round(forecast_gib, 2), "moment": expected.moment} | off


def at_limits(base: Base, match: str) -> Iterator[dict[str, object]]:
    """At each limit: the plan for rows like MUNIChus's, run; and the next faster way, which should run out.

    Only with settings that contain `match`.
    """
    name = base.random.family.name
    for limit, settings in LIMITS[name]:
        if match not in str(settings):
            continue
        batch = "sft.gradient_accumulation_steps=8"  # half of the recipe's, to be through in half the time
        config = resolve(PROFILES[name], ["sft.fit=auto", batch, *settings]).config
        lengths = assumed_lengths(name, config.basic.max_length)
        plan = choose(config, base.random.architecture, lengths, limit * GIB)
        more = [other for other in plan.alternatives if not other.fits and other.slower_percent < 0]
        ways = [("plan" if plan.fits else "smallest way", plan.choice, plan.forecast, plan.fits)]
        if plan.fits:
            ways += [("one step more", other.choice, other.forecast, False) for other in more[:1]]
        for what, choice, expected, fits in ways:
            way = _two_steps(config, choice)
            base.use(way)  # which takes more than the limit while it is made
            with _limited(limit):
                measured = measure(base, way, expected.shape)
            yield {
                "kind": "limit",
                "family": name,
                "settings": list(settings),
                "limit_gib": limit,
                "what": what,
                "choice": describe(choice),
                "shape": asdict(expected.shape),
                "forecast_card_gib": round(expected.card_bytes / GIB, 2),
                "should_fit": fits,
                "as_forecast": fits == ("peak_gib" in measured),
                **measured,
            }


def _two_steps(config: Config, choice: Choice) -> Config:
    """Two steps of that many micro-batches."""
    chosen = with_choice(config, choice)
    data = replace(chosen.data, num_workers=0)
    return replace(chosen, data=data, sft=replace(chosen.sft, max_steps=2, logging_steps=1))


@contextlib.contextmanager
def _limited(gib: float) -> Iterator[None]:
    total = torch.cuda.mem_get_info()[1]
    torch.cuda.set_per_process_memory_fraction((gib * GIB - CONTEXT_BYTES) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def write_tables(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Puts the lines into the tables of that page."""
    for name, kind, header, row in (
        ("forecast", "forecast", FORECAST_HEADER, _forecast_row),
        ("limits", "limit", LIMITS_HEADER, _limit_row),
    ):
        rows = [row(line) for line in lines if line["kind"] == kind]
        if rows:
            put_table(path, name, [*header, *rows])


FORECAST_HEADER = (
    "| model | micro-batch | tokens, tiles of a row | settings | forecast GiB | measured GiB | off | s/row |",
    "|---|---|---|---|---|---|---|---|",
)
LIMITS_HEADER = (
    "| card GiB | model, settings | what | way | forecast on the card GiB | outcome |",
    "|---|---|---|---|---|---|",
)


def _forecast_row(line: dict[str, Any]) -> str:
    settings = ", ".join(f"`{setting}`" for setting in line["settings"]) or "the profile's"
    settings += line.get("mark", "")
    measured = f"{line['peak_gib']:.2f}" if "peak_gib" in line else "out of memory"
    off = f"{line['off_percent']:+.1f} %" if "off_percent" in line else ""
    return (
        f"| {line['family']} | {line['rows']} | {line['tokens']:,}, {line['tiles']} | {settings} | "
        f"{line['forecast_gib']:.2f} | {measured} | {off} | {line.get('seconds_per_row', '')} |"
    )


def _limit_row(line: dict[str, Any]) -> str:
    settings = ", ".join([line["family"], *(f"`{setting}`" for setting in line["settings"])])
    outcome = f"runs, peak {line['peak_gib']:.2f}" if "peak_gib" in line else "out of memory"
    return (
        f"| {line['limit_gib']} | {settings} | {line['what']} | {line['choice']} | "
        f"{line['forecast_card_gib']:.2f} | {outcome} |"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", default=list(CASES))
    parser.add_argument("--only", choices=["cases", "limits"], help="one of the two kinds; default: both")
    parser.add_argument("--match", metavar="TEXT", default="", help="only cases whose settings contain this")
    parser.add_argument("--table", type=Path, help="a Markdown file whose tables are written anew")
    parser.add_argument(
        "--from", dest="lines", type=Path, action="append", help="lines measured before, whose forecast is made anew"
    )
    options = parser.parse_args()
    if options.lines:
        lines = [renewed(json.loads(line)) for path in options.lines for line in path.read_text().splitlines()]
    else:
        lines = list(_measured(options.families, options.match, options.only))
    if options.table:
        write_tables(options.table, lines)


def _measured(families: Sequence[FamilyName], match: str, only: str | None) -> Iterator[dict[str, object]]:
    for name in families:
        base = Base(name)
        plans = () if only == "cases" else at_limits(base, match)
        cases = () if only == "limits" else (case for case in CASES[name] if match in str(case.settings))
        for line in itertools.chain(plans, (compare(base, case) for case in cases)):
            print(json.dumps(line), flush=True)
            yield line
        del base, plans
        free_memory()


if __name__ == "__main__":
    main()
