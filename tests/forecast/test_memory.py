"""The memory forecast against what a card measured, and against what must hold of any forecast."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from inft.config import Config
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.choice import Choice, choice_of
from inft.forecast.lengths import BatchShape, LengthTable, TileClass, assumed_lengths
from inft.forecast.memory import Forecast, forecast, heaviness, of_shape
from inft.forecast.speed import Speed
from inft.machine.units import GIB
from inft.models.released import RELEASED
from inft.params import FamilyName
from inft.profiles import resolve

KEPT = "sft.gradient_checkpointing=false"
PROFILES: dict[FamilyName, str] = {"aya": "aya_basic", "llama32": "llama_basic"}
FAMILIES: tuple[FamilyName, ...] = ("aya", "llama32")
ACCUMULATION, SUPERVISED = 2, 30  # as benchmarks/forecast.py has them


class Measured(NamedTuple):
    """A row of the table in docs/memory.md."""

    family: FamilyName
    rows: int
    tokens: int
    tiles: int
    settings: tuple[str, ...]
    forecast_gib: float
    peak_gib: float
    seconds_per_row: float

    @property
    def config(self) -> Config:
        batch = [f"data.batch_size={self.rows}", f"sft.gradient_accumulation_steps={ACCUMULATION}"]
        return resolve(PROFILES[self.family], [*batch, *self.settings]).config

    @property
    def shape(self) -> BatchShape:
        return BatchShape.of_equal_rows(self.rows, self.tokens, self.rows * self.tiles, self.rows * SUPERVISED)


def measured() -> list[Measured]:
    text = (Path(__file__).parents[2] / "docs" / "memory.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- forecast -->\n")
    found = []
    for line in rest.partition("<!-- /forecast -->")[0].splitlines()[2:]:
        family, rows, lengths, settings, expected, peak, _, seconds = (cell.strip() for cell in line.split("|")[1:-1])
        tokens, tiles = lengths.replace(",", "", 1).split() if lengths.count(",") == 2 else lengths.split(", ")
        found.append(
            Measured(
                "aya" if family == "aya" else "llama32",
                int(rows),
                int(tokens.strip(",")),
                int(tiles),
                tuple(part for part in settings.split("`")[1::2]),
                float(expected),
                float(peak),
                float(seconds),
            )
        )
    return found


MEASURED = measured()


def released(family: FamilyName) -> Architecture:
    return architecture_of(family, RELEASED[family])


def peak_gib(config: Config, shape: BatchShape) -> float:
    return of_shape(config, released(config.family), shape).peak_bytes / GIB


def test_the_table_has_both_families_and_every_lever() -> None:
    assert {row.family for row in MEASURED} == {"aya", "llama32"}
    assert len(MEASURED) >= 20
    for lever in ("lora.scope=language", "sft.gradient_checkpointing=false", "qlora.hold_dequantized=true"):
        assert {row.family for row in MEASURED if lever in row.settings} == {"aya", "llama32"}
    assert {row.rows for row in MEASURED} >= {1, 4, 8}


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row.family}-{row.rows}x{row.tokens}-{row.settings}")
def test_within_a_tenth_of_what_an_h200_measured(row: Measured) -> None:
    expected = peak_gib(row.config, row.shape)
    assert expected == pytest.approx(row.forecast_gib, abs=0.02), "the table is older than the formulas"
    assert expected == pytest.approx(row.peak_gib, rel=0.1)


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row.family}-{row.rows}x{row.tokens}-{row.settings}")
def test_speed_is_of_the_order_that_an_h200_measured(row: Measured) -> None:
    lengths = LengthTable((TileClass(row.tiles, 100, row.tokens, SUPERVISED, 100 * row.tokens),), measured=True)
    expected = Speed(row.config, released(row.family), lengths).seconds_per_sample(choice_of(row.config))
    assert row.seconds_per_row / 2 < expected < row.seconds_per_row * 2


class Trained(NamedTuple):
    """A line of `benchmarks.train_speed`: MUNIChus-like rows, whose heaviest micro-batch took the most memory."""

    profile: str
    settings: tuple[str, ...]
    heaviest: BatchShape
    peak_gib: float
    lengths: TileClass
    """Of the other steps' rows, all taken to be of one length."""
    seconds_per_row: float


TRAINED = (
    Trained(
        "fast_aya",
        ("lora.scope=language",),
        BatchShape(rows=4, tokens=3257, tiles=44, supervised=98, all_tokens=12283),
        65.42,
        TileClass(9, 48, 1950, 27, 48 * 1950),
        2.3518 / 16,
    ),
    Trained(
        "fast_llama",
        ("sft.activation_budget=0.7",),
        BatchShape(rows=4, tokens=1668, tiles=9, supervised=84, all_tokens=5379),
        73.64,
        TileClass(2, 48, 479, 27, 48 * 479),
        3.9217 / 16,
    ),
)


@pytest.mark.parametrize("line", TRAINED, ids=lambda line: line.profile)
def test_the_fast_way_is_as_was_measured(line: Trained) -> None:
    config = resolve(line.profile, line.settings).config
    assert peak_gib(config, line.heaviest) == pytest.approx(line.peak_gib, rel=0.05)
    speed = Speed(config, released(config.family), LengthTable((line.lengths,), measured=True))
    assert speed.seconds_per_sample(choice_of(config)) == pytest.approx(line.seconds_per_row, rel=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_add_up(family: FamilyName) -> None:
    config = resolve(PROFILES[family]).config
    found = forecast(config, released(family), assumed_lengths(family, 4096))
    assert sum(part.bytes for part in found.parts) == found.peak_bytes
    assert found.card_bytes > found.peak_bytes
    assert all(part.bytes > 0 for part in found.parts)
    assert not found.measured_lengths


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scope", ["guide", "language"])
@pytest.mark.parametrize("recompute", ["true", "false"])
def test_more_of_anything_takes_more(family: FamilyName, scope: str, recompute: str) -> None:
    settings = [f"lora.scope={scope}", f"sft.gradient_checkpointing={recompute}"]
    config = resolve(PROFILES[family], settings).config
    few = BatchShape.of_equal_rows(2, 1000, 8, 60)
    for more in (BatchShape.of_equal_rows(4, 1000, 16, 120), BatchShape.of_equal_rows(2, 1500, 8, 60)):
        assert peak_gib(config, more) > peak_gib(config, few)
    assert peak_gib(config, BatchShape.of_equal_rows(2, 1000, 20, 60)) >= peak_gib(config, few)
    larger = replace(config, lora=replace(config.lora, r=128))
    assert peak_gib(larger, few) > peak_gib(config, few)
    held = replace(config, qlora=replace(config.qlora, hold_dequantized=True))
    assert peak_gib(held, few) > peak_gib(config, few) + 8
    eager = replace(config, basic=replace(config.basic, attn_impl="eager"))
    assert peak_gib(eager, few) > peak_gib(config, few)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_saves_memory_does(family: FamilyName) -> None:
    shape = BatchShape.of_equal_rows(2, 1500, 16, 60)

    def peak(*settings: str) -> float:
        return peak_gib(resolve(PROFILES[family], settings).config, shape)

    assert peak() < peak(KEPT) / 2
    assert peak("lora.scope=language") < peak()
    assert peak("lora.dropout=0", KEPT) < peak(KEPT)
    assert peak("sft.optim=paged_adamw_8bit") < peak("sft.optim=adamw_bnb_8bit") < peak()
    assert peak("lora.adapter_dtype=bfloat16") < peak()
    assert peak("qlora.load_in_4bit=false") > peak() + 8


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_fast_way_saves(family: FamilyName) -> None:
    shape = BatchShape(4, 2500, 32, 120, 6000)

    def peak(*settings: str) -> float:
        return peak_gib(resolve(PROFILES[family], [KEPT, *settings]).config, shape)

    free, fast = "sft.padding_free=true", ("sft.padding_free=true", "sft.torch_compile=true")
    budgets = [f"sft.activation_budget={share}" for share in (1, 0.8, 0.5)]
    peaks = [peak(), peak(free), *(peak(*fast, budget) for budget in budgets)]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < peaks[0] / 2
    recomputed = resolve(PROFILES[family], fast).config
    assert peak_gib(recomputed, shape) < peaks[-1] / 2


def test_the_loss_counts_where_there_is_little_else() -> None:
    """One short row, everything recomputed: Aya's logits of 256,000 tokens are the most."""
    small = "sft.padding_free=true", "lora.scope=language"
    config, aya = resolve("aya_basic", small).config, released("aya")
    found = of_shape(config, aya, BatchShape.of_equal_rows(1, 300, 1, 120))
    assert found.moment == "the loss"
    fewer = of_shape(config, aya, BatchShape.of_equal_rows(1, 300, 1, 60))
    assert found.peak_bytes - fewer.peak_bytes > 60 * 256_000 * 8
    more = of_shape(config, aya, BatchShape.of_equal_rows(1, 300, 1, 280))
    assert more.peak_bytes - found.peak_bytes < 10 * 256_000 * 18  # a few at a time


def test_the_heaviest_rows_decide() -> None:
    config = resolve("aya_basic", ["data.batch_size=2"]).config
    short = TileClass(3, 1000, 700, 40, 700 * 1000)
    usual = LengthTable((short,), measured=True)
    with_one_long = LengthTable((short, TileClass(13, 1, 3500, 40, 3500)), measured=True)
    found = forecast(config, released("aya"), with_one_long)
    assert found.shape == BatchShape(2, 3500, 16, 80, 4200)
    assert found.peak_bytes > forecast(config, released("aya"), usual).peak_bytes


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_have_keys_and_values_beside_the_pass(family: FamilyName) -> None:
    asked = ("data.eval_split=test", "sft.inference_batch_size=64", "basic.gen_max_new_tokens=100")
    lengths = assumed_lengths(family, 2048)

    def found(captions: str, *settings: str) -> Forecast:
        config = resolve(PROFILES[family], [*asked, f"basic.eval_captions={captions}", *settings]).config
        return forecast(config, released(family), lengths)

    without, captions = found("0"), found("4")
    assert (without.moment, captions.moment) == ("the evaluation", "the captions")
    (cache,) = (part.bytes for part in captions.parts if part.name == "cache")
    # Both have 32 layers that attend to the text, 8 heads of 128 for keys and values, and 2 bytes a number.
    of_text = 32 * 2 * 8 * 128 * 2 * 64 * (captions.shape.tokens + 100)
    of_pictures = {"aya": 0, "llama32": 8 * 2 * 8 * 128 * 2 * 64 * 4 * 1601}[family]
    assert cache == captions.peak_bytes - without.peak_bytes == of_text + of_pictures
    assert found("4", "basic.gen_num_beams=2").peak_bytes > captions.peak_bytes + cache


def test_an_evaluation_with_large_batches_counts() -> None:
    lengths = assumed_lengths("llama32", 2048)
    config = resolve("llama_basic", ["sft.inference_batch_size=64"]).config
    without = forecast(config, released("llama32"), lengths)
    evaluating = replace(config, data=replace(config.data, eval_split="validation"))
    found = forecast(evaluating, released("llama32"), lengths)
    assert found.moment == "the captions"
    assert found.peak_bytes > without.peak_bytes + 50 * GIB


def test_an_evaluation_is_no_part_of_what_training_takes() -> None:
    config = resolve("aya_adv", ["data.eval_split=test", "sft.inference_batch_size=16"]).config
    alone = resolve("aya_adv").config
    lengths = assumed_lengths("aya", 4096)
    found, plain = (forecast(one, released("aya"), lengths) for one in (config, alone))
    assert found.training_bytes == plain.training_bytes == plain.peak_bytes
    assert found.peak_bytes > found.training_bytes
    assert heaviness(config, released("aya"), plain.shape) == plain.peak_bytes


@pytest.mark.parametrize("family", FAMILIES)
def test_biases_that_train_send_gradients_through_the_tower(family: FamilyName) -> None:
    config = resolve(PROFILES[family], ["lora.scope=language", "lora.bias=all"]).config
    frozen = resolve(PROFILES[family], ["lora.scope=language"]).config
    shape = BatchShape.of_equal_rows(1, 1500, 4, 30)
    kept = [{part.name for part in of_shape(one, released(family), shape).parts} for one in (config, frozen)]
    assert "vision" in kept[0]
    assert "vision" not in kept[1]


def test_every_layer_may_cross_attend() -> None:
    """No released model is like that; a forecast of one must not end a run."""
    text = replace(released("llama32").text, layers=2, cross_layers=(0, 1))
    odd = replace(released("llama32"), text=text)
    config = resolve("llama_basic").config
    assert of_shape(config, odd, BatchShape.of_equal_rows(1, 700, 2, 30)).peak_bytes > 0


def test_a_forecast_is_quick_enough_for_every_keystroke() -> None:
    config, lengths = resolve("aya_adv").config, assumed_lengths("aya", 4096)
    choice = Choice(4, 4, recompute=True, hold_dequantized=False)
    forecast(config, released("aya"), lengths, choice)
    began = time.perf_counter()
    for _ in range(20):
        forecast(config, released("aya"), lengths, choice)
    assert (time.perf_counter() - began) / 20 < 0.02
