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
import gc
import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedModel, PrinterCallback
from transformers import initialization as initialisation
from transformers.quantizers.auto import AutoHfQuantizer

from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodingLimits, Processor
from inft.data.skips import SkipLedger
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.choice import Choice, describe, with_choice
from inft.forecast.lengths import BatchShape, assumed_lengths
from inft.forecast.memory import CONTEXT_BYTES, of_shape
from inft.forecast.plan import choose
from inft.forecast.row_lengths import RowLengths
from inft.machine.units import GIB
from inft.models.adapters import add_adapters
from inft.models.dequantized import hold_dequantized
from inft.models.family import Family
from inft.models.quantization import DTYPES, OUTPUT_HEAD, quantization_config
from inft.models.recompute import keep_little
from inft.models.registry import FAMILIES
from inft.models.released import RELEASED
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts
from inft.params import FamilyName
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.training.arguments import training_arguments
from inft.training.checkpointing import CheckpointPlan
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.report import RunReport
from inft.training.trainer import CaptionTrainer

PROFILES: dict[FamilyName, str] = {"aya": "aya_basic", "llama32": "llama_basic"}
SUPERVISED = 30  # tokens of a row
ACCUMULATION = 2


@dataclass(frozen=True)
class Case:
    """One configuration: what differs from the family's basic profile, and one row's length and tiles."""

    rows: int
    tokens: int
    tiles: int
    settings: tuple[str, ...] = ()

    def config(self, family: FamilyName) -> Config:
        """The parameters of the run."""
        common = [f"data.batch_size={self.rows}", f"sft.gradient_accumulation_steps={ACCUMULATION}"]
        fixed = ["data.num_workers=0", "sft.max_steps=2", "sft.logging_steps=1"]
        return resolve(PROFILES[family], [*common, *fixed, *self.settings]).config

    @property
    def shape(self) -> BatchShape:
        """Of its micro-batch."""
        return BatchShape(self.rows, self.tokens, self.rows * self.tiles, self.rows * SUPERVISED)


LANGUAGE, KEPT, HELD = "lora.scope=language", "sft.gradient_checkpointing=false", "qlora.hold_dequantized=true"
PAGED, EIGHT_BIT = "sft.optim=paged_adamw_8bit", "sft.optim=adamw_bnb_8bit"

LIMITS: dict[FamilyName, tuple[tuple[int, tuple[str, ...]], ...]] = {
    "aya": ((12, ()), (12, (LANGUAGE,)), (16, ()), (16, (LANGUAGE,)), (24, ())),
    "llama32": ((12, (LANGUAGE,)), (12, (LANGUAGE, PAGED)), (16, ()), (16, (LANGUAGE,)), (24, ()), (24, (LANGUAGE,))),
}
"""GiB and what differs from the family's basic profile."""

CASES: dict[FamilyName, tuple[Case, ...]] = {
    "aya": (
        Case(1, 2000, 9),
        Case(4, 2000, 9),
        Case(8, 2000, 9),
        Case(1, 3000, 13, (KEPT,)),
        Case(2, 2000, 9, (KEPT,)),
        Case(1, 2000, 9, (LANGUAGE,)),
        Case(8, 3000, 13, (LANGUAGE,)),
        Case(1, 1000, 3, (LANGUAGE, KEPT)),
        Case(4, 2000, 9, (LANGUAGE, KEPT)),
        Case(1, 2000, 9, (LANGUAGE, PAGED, "lora.r=16")),
        Case(1, 2000, 9, (LANGUAGE, EIGHT_BIT, "lora.adapter_dtype=bfloat16")),
        Case(1, 2000, 9, (LANGUAGE, KEPT, "lora.dropout=0")),
        Case(1, 2000, 9, ("basic.attn_impl=eager",)),
        Case(1, 2000, 9, (LANGUAGE, KEPT, "qlora.skip_modules=['vision_tower']")),
        Case(4, 2000, 9, (HELD,)),
        Case(4, 2000, 9, (LANGUAGE, KEPT, HELD)),
    ),
    "llama32": (
        Case(1, 700, 2),
        Case(4, 700, 2),
        Case(8, 1800, 4),
        Case(1, 700, 2, (KEPT,)),
        Case(2, 700, 2, (KEPT,)),
        Case(1, 700, 2, (LANGUAGE,)),
        Case(8, 1800, 2, (LANGUAGE,)),
        Case(1, 1800, 2, (LANGUAGE, KEPT)),
        Case(4, 700, 2, (LANGUAGE, KEPT)),
        Case(1, 700, 2, (LANGUAGE, PAGED)),
        Case(4, 700, 2, (HELD,)),
        Case(4, 700, 2, (LANGUAGE, KEPT, HELD)),
    ),
}


class Base:
    """A quantised base of the released architecture, its weights random, to put adapters on again and again."""

    def __init__(self, name: FamilyName) -> None:
        self.family: Family = FAMILIES[name]
        self.processor: Processor = build_processor(name, demo_texts(), RELEASED_TILE_PIXELS[name])
        self.architecture: Architecture = architecture_of(name, RELEASED[name])
        self._config = resolve(PROFILES[name], []).config
        self.model = self._build()
        self._settings: tuple[object, ...] = (False, ())

    def use(self, config: Config) -> PreTrainedModel:
        """The base as the configuration holds it."""
        wanted = (config.qlora.hold_dequantized, config.qlora.skip_modules)
        if wanted != self._settings:
            self._config, self._settings = config, wanted
            del self.model
            gc.collect()
            torch.cuda.empty_cache()
            self.model = self._build()
            if config.qlora.hold_dequantized:
                hold_dequantized(self.model)
        self.model.gradient_checkpointing_disable()
        for module in self.model.modules():
            module.__dict__.pop("forward", None)  # what recomputation and TRL put there for the case before
        return self.model

    def _build(self) -> PreTrainedModel:
        config = self.family.released_config()
        config.image_token_index = self.processor.image_token_id
        text, tokenizer = config.get_text_config(), self.processor.tokenizer
        text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        text.pad_token_id = tokenizer.pad_token_id
        with initialisation.no_init_weights(), torch.device("cuda"):
            model: Any = AutoModelForImageTextToText.from_config(
                config, dtype=torch.bfloat16, attn_implementation="sdpa"
            )
        model.tie_weights()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" in name and name.endswith("weight"):
                    parameter.fill_(1.0)
                elif "gate" in name.rpartition(".")[2]:
                    parameter.fill_(0.5)
                else:
                    parameter.normal_(0, 0.02)
        self._quantise(model)
        self.family.adjust(model)
        model.config.use_cache = False
        gc.collect()
        torch.cuda.empty_cache()
        return model

    def _quantise(self, model: Any) -> None:
        """Makes every linear layer 4-bit but the head and what is left out, as loading a checkpoint does."""
        left_out = (OUTPUT_HEAD, *self._config.qlora.skip_modules)
        for path, module in list(model.named_modules()):
            if type(module) is not nn.Linear or any(f".{name}." in f".{path}." for name in left_out):
                continue
            layer = Linear4bit(
                module.in_features,
                module.out_features,
                bias=module.bias is not None,
                compute_dtype=torch.bfloat16,
                quant_type="nf4",
                device="meta",
            )
            layer.weight = Params4bit(module.weight.data, requires_grad=False, quant_type="nf4")
            if module.bias is not None:
                layer.bias = nn.Parameter(module.bias.data, requires_grad=False)
            model.set_submodule(path, layer.to("cuda"))
        settings = quantization_config(self._config.qlora)
        assert settings is not None
        model.is_loaded_in_4bit = model.is_quantized = True
        model.quantization_method = settings.quant_method
        model.hf_quantizer = AutoHfQuantizer.from_config(settings, pre_quantized=False)
        model.config.quantization_config = settings


def measure(base: Base, config: Config, shape: BatchShape) -> dict[str, object]:
    """Trains two steps on micro-batches of `shape`; peak and time, or that it ran out of memory."""
    peft_model = None
    began = time.perf_counter()
    model = base.use(config)
    held = torch.cuda.memory_allocated()
    try:
        model.set_attn_implementation("eager" if config.basic.attn_impl == "eager" else "sdpa")
        torch.cuda.reset_peak_memory_stats()
        peft_model, _ = add_adapters(model, config, base.family)
        keep_little(peft_model, base.family, recompute=config.sft.gradient_checkpointing)
        seconds = _train(base, peft_model, config, shape)
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
        if peft_model is not None:
            base.model = peft_model.unload()
        gc.collect()
        torch.cuda.empty_cache()


def _train(base: Base, model: Any, config: Config, shape: BatchShape) -> float:
    """Seconds of the fastest micro-batch."""
    rows = shape.rows * config.sft.gradient_accumulation_steps * 2
    lengths = RowLengths()
    for _ in range(rows):
        lengths.add(tokens=shape.tokens, tiles=shape.tiles // shape.rows, supervised=SUPERVISED, cut=0, language=0)
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(RunReport(_run(Path(folder)))) as report:
        trainer = _Timed(
            seconds,
            model=model,
            args=training_arguments(config, Path(folder), on_gpu=True),
            collator=_collator(base, config, shape, rows),
            lengths=lengths,
            cost=cost_by_size,
            evaluation=None,
            meter=StepMeter(),
            plan=CheckpointPlan(Path(folder), ("forecast",), 1, {}),
            report=report,
            ledger=SkipLedger(),
            is_ending=lambda: False,
            adapter_dtype=DTYPES[config.lora.adapter_dtype],
            callbacks=[],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return min(seconds)


class _Timed(CaptionTrainer):
    """Notes how long each micro-batch takes, and saves nothing."""

    def __init__(self, seconds: list[float], **arguments: Any) -> None:
        self._seconds = seconds
        super().__init__(**arguments)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One micro-batch forward and backward."""
        torch.cuda.synchronize()
        began = time.perf_counter()
        loss = super().training_step(*args, **kwargs)
        torch.cuda.synchronize()
        self._seconds.append(time.perf_counter() - began)
        return loss

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Writes none: what that takes is measured elsewhere."""


def _run(folder: Path) -> RunDirectory:
    path = folder / "run"
    path.mkdir()
    return RunDirectory(path)


def _collator(base: Base, config: Config, shape: BatchShape, rows: int) -> CaptionCollator:
    """A collator whose every batch is of `shape`, whatever it is asked for."""
    made = synthetic_batch(base, shape)
    kind = base.family.collator
    fixed = type("Fixed", (kind,), {"__call__": lambda self, examples: {k: v.clone() for k, v in made.items()}})
    collator: CaptionCollator = fixed(base.processor, range(rows), {}, EncodingLimits.of(config))
    return collator


def synthetic_batch(base: Base, shape: BatchShape) -> dict[str, torch.Tensor]:
    """Random ids and pixels; the first row has `shape.tokens` tokens, each further one 3 % less, as padding has it."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = base.architecture.text.vocabulary
    image = base.processor.image_token_id
    tiles, vision = shape.tiles // shape.rows, base.architecture.vision
    ids = torch.randint(2000, vocabulary, (shape.rows, shape.tokens), generator=generator)
    mask, labels = torch.ones_like(ids), torch.full_like(ids, IGNORE_INDEX)
    for row in range(shape.rows):
        end = int(shape.tokens * (1 - 0.03 * row))
        mask[row, end:] = 0
        labels[row, end - SUPERVISED : end] = ids[row, end - SUPERVISED : end]
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    pixels = vision.tile_pixels
    if base.family.name == "aya":
        count = tiles * vision.patches_per_tile // base.architecture.downsample**2
        ids[:, 5 : 5 + count] = image
        return batch | {"pixel_values": torch.randn(shape.tiles, 3, pixels, pixels, generator=generator)}
    ids[:, 5] = image
    of_picture = torch.zeros(shape.rows, 1, vision.max_tiles, dtype=torch.long)
    of_picture[:, :, :tiles] = 1
    crossing = torch.zeros(shape.rows, shape.tokens, 1, vision.max_tiles, dtype=torch.long)
    crossing[:, 5:, :, :tiles] = 1
    return batch | {
        "pixel_values": torch.randn(shape.rows, 1, vision.max_tiles, 3, pixels, pixels, generator=generator),
        "aspect_ratio_mask": of_picture,
        "aspect_ratio_ids": torch.full((shape.rows, 1), {1: 1, 2: 2, 3: 3, 4: 4}[tiles]),
        "cross_attention_mask": crossing,
    }


def compare(base: Base, case: Case) -> dict[str, Any]:
    """One line of the table."""
    config = case.config(base.family.name)
    line = {"kind": "forecast", "family": base.family.name, **asdict(case), **measure(base, config, case.shape)}
    return renewed(line)


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
    name = base.family.name
    for limit, settings in LIMITS[name]:
        if match not in str(settings):
            continue
        batch = "sft.gradient_accumulation_steps=8"  # half of the recipe's, to be through in half the time
        config = resolve(PROFILES[name], ["sft.fit=auto", batch, *settings]).config
        lengths = assumed_lengths(name, config.basic.max_length)
        plan = choose(config, base.architecture, lengths, limit * GIB)
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
    """Puts the lines between the marks `<!-- forecast -->` and `<!-- limits -->` and their ends in `path`."""
    text = path.read_text(encoding="utf-8")
    for mark, header, row in (("forecast", FORECAST_HEADER, _forecast_row), ("limits", LIMITS_HEADER, _limit_row)):
        kind = "limit" if mark == "limits" else mark
        rows = [row(line) for line in lines if line["kind"] == kind]
        if rows:
            begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(end)
            text = before + begin + "\n".join([*header, *rows]) + "\n" + end + after
    path.write_text(text, encoding="utf-8")


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
        gc.collect()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
