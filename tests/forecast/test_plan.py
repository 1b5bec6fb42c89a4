"""Which way is chosen, from forecasts and speeds that can be worked out by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from inft.config import Config
from inft.forecast import plan as planning
from inft.forecast.architecture import Architecture, architecture_of
from inft.forecast.choice import Choice, choice_of, describe, with_choice
from inft.forecast.lengths import BatchShape, LengthTable, assumed_lengths
from inft.forecast.memory import Forecast, Part
from inft.forecast.plan import LARGEST_MICRO_BATCH, MARGIN, Plan, choices, choose
from inft.models.released import RELEASED
from inft.profiles import resolve

GIB = 2**30
AYA = architecture_of("aya", RELEASED["aya"])
LENGTHS = assumed_lengths("aya", 4096)


def gib_needed(choice: Choice) -> float:
    """6 GiB of base (18 held), and for each row 1 GiB recomputed or 5 kept."""
    return (18 if choice.hold_dequantized else 6) + choice.micro_batch * (1 if choice.recompute else 5)


def seconds(choice: Choice) -> float:
    """Faster with larger micro-batches, without recomputation (3 : 4) and with the base held (9 : 10)."""
    each = 1 + 1 / choice.micro_batch
    return each * (4 if choice.recompute else 3) * (9 if choice.hold_dequantized else 10)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(config: Config, architecture: Architecture, lengths: LengthTable, choice: Choice) -> Forecast:
        needed = round(gib_needed(choice) * GIB)
        return Forecast(
            choice=choice,
            parts=(Part("all", needed, "all of it"),),
            peak_bytes=needed,
            training_bytes=needed,
            card_bytes=needed,
            moment="the backward pass",
            shape=BatchShape.of_equal_rows(choice.micro_batch, 2000, 13, 40),
            measured_lengths=False,
        )

    monkeypatch.setattr(planning, "forecast", made_up)
    monkeypatch.setattr(planning, "Speed", lambda *_: SimpleNamespace(seconds_per_sample=seconds))


def plan(gib: float, *overrides: str) -> Plan:
    """The plan for the guide's Aya recipe (micro-batch 1 x 16, recomputed) on so many GiB, the margin on top."""
    config = resolve("aya_basic", overrides).config
    return choose(config, AYA, LENGTHS, int(gib * GIB / (1 - MARGIN)) + 1)


def auto(gib: float, *overrides: str) -> Plan:
    return plan(gib, "sft.fit=auto", *overrides)


def texts(found: Plan) -> Sequence[str]:
    return [alternative.text() for alternative in found.alternatives]


def brute_force(gib: float, config: Config) -> Choice:
    """The smallest of the about fastest that fit, looked for without any of the planner's code."""
    ways = [
        Choice(rows, config.effective_batch // rows, recompute, hold)
        for rows in range(1, 17)
        if config.effective_batch % rows == 0
        for recompute in (True, False)
        for hold in (True, False)
    ]
    fitting = [way for way in ways if gib_needed(way) <= gib]
    fastest = min(map(seconds, fitting))
    return min((way for way in fitting if seconds(way) <= 1.05 * fastest), key=gib_needed)


@pytest.mark.parametrize("gib", [7, 10.9, 11, 12, 16, 23, 24, 38, 79, 139])
@pytest.mark.parametrize("accumulation", [1, 6, 7, 16, 24])
def test_auto_takes_the_smallest_of_the_fastest_and_keeps_the_effective_batch(gib: float, accumulation: int) -> None:
    found = auto(gib, f"sft.gradient_accumulation_steps={accumulation}")
    config = resolve("aya_basic", [f"sft.gradient_accumulation_steps={accumulation}"]).config
    assert found.choice == brute_force(gib, config)
    assert found.fits
    assert found.forecast.card_bytes + found.margin_bytes <= found.budget_bytes
    assert found.choice.micro_batch * found.choice.accumulation == accumulation
    assert found.missing_bytes == 0


def test_one_byte_less_than_the_margin_wants_takes_another_way() -> None:
    config = resolve("aya_basic", ["sft.fit=auto"]).config
    needed = 26 * GIB  # micro-batch 4, activations kept
    start = int(needed / (1 - MARGIN)) - 64
    budget = next(size for size in range(start, start + 128) if needed + int(MARGIN * size) <= size)
    just = choose(config, AYA, LENGTHS, budget)
    assert just.choice == Choice(4, 4, recompute=False, hold_dequantized=False)
    assert just.forecast.card_bytes + just.margin_bytes == budget
    assert choose(config, AYA, LENGTHS, budget - 1).choice != just.choice


def test_nothing_fits_in_auto() -> None:
    found = auto(6.5)
    assert found.choice == Choice(1, 16, recompute=True, hold_dequantized=False)
    assert not found.fits
    assert found.missing_bytes == pytest.approx(0.5 * GIB, abs=16)
    assert found.reason == "Even the smallest of the 20 ways needs 0.5 GiB more."


def test_a_gain_below_what_the_speed_model_knows_takes_no_memory() -> None:
    found = auto(200, "sft.gradient_accumulation_steps=240")  # micro-batches of 8, 10, 12, 15 and 16 among others
    assert found.choice == Choice(10, 24, recompute=False, hold_dequantized=True)  # that of 16 takes 3.4 % less time
    assert "the smallest within 5 % of the fastest's time, and saves 30.0 GiB" in found.reason
    assert not any(other.slower_percent < 0 for other in found.alternatives)


def test_a_comparison_that_rounds_to_nothing_says_so() -> None:
    way = auto(24).alternatives[0]
    same = replace(way, difference_gib=0.04, slower_percent=-0.4, fits=True)
    assert same.text().endswith(": needs as much memory, takes as long")


def test_need_and_room_never_look_equal_where_they_differ() -> None:
    config = resolve("aya_basic").config  # 7 GiB
    close = choose(config, AYA, LENGTHS, int(7.19 * GIB))
    assert not close.fits
    assert close.need_text() == "needs 7.00 GiB; of 7.2 GiB 6.97 may be used (3 % stay free)"
    assert choose(config, AYA, LENGTHS, 12 * int(GIB)).need_text("that are free") == (
        "needs 7.0 GiB; of 12.0 GiB that are free 11.6 may be used (3 % stay free)"
    )


def test_manual_is_what_the_configuration_says_whether_it_fits_or_not() -> None:
    wide, narrow = plan(60, "data.batch_size=4"), plan(9, "data.batch_size=4")
    for found in (wide, narrow):
        assert found.choice == Choice(4, 16, recompute=True, hold_dequantized=False)
    assert (wide.fits, narrow.fits) == (True, False)
    assert narrow.missing_bytes == pytest.approx(GIB, abs=16)
    assert wide.reason == "It is what the configuration says."


def test_alternatives_say_what_memory_and_time_they_cost() -> None:
    found = auto(24, "sft.gradient_accumulation_steps=4")
    assert found.choice == Choice(2, 2, recompute=False, hold_dequantized=False)  # 16 GiB
    assert texts(found) == [
        "micro-batch 4 x 1, activations recomputed: needs 6.0 GiB less, takes 11 % more time",
        "micro-batch 1 x 4, activations recomputed: needs 9.0 GiB less, takes 78 % more time",
        "micro-batch 4 x 1, activations kept: needs 10.0 GiB more, takes 17 % less time; does not fit",
    ]


def test_what_manual_wastes_or_lacks_is_told() -> None:
    wasteful = plan(200)
    assert texts(wasteful) == [
        "micro-batch 16 x 1, activations kept, base held in 16 bit: needs 91.0 GiB more, takes 64 % less time"
    ]
    lacking = plan(11, "data.batch_size=16", "sft.gradient_accumulation_steps=1")
    assert not lacking.fits
    fitting = [alternative for alternative in lacking.alternatives if alternative.fits]
    assert fitting[0].choice == Choice(4, 4, recompute=True, hold_dequantized=False)


def test_there_are_three_alternatives_at_most_none_of_them_the_choice() -> None:
    for gib in range(6, 150, 3):
        for fit in ("auto", "manual"):
            found = plan(gib, f"sft.fit={fit}", "data.batch_size=2")
            others = [alternative.choice for alternative in found.alternatives]
            assert len(set(others)) == len(others) <= 3
            assert found.choice not in others


def test_ways_that_the_configuration_rules_out_are_not_looked_at() -> None:
    config = resolve("aya_basic", ["qlora.load_in_4bit=false"]).config
    assert not any(choice.hold_dequantized for choice in choices(config))
    config = resolve("aya_basic", ["basic.attn_impl=flex"]).config
    assert not any(choice.recompute for choice in choices(config))


def test_compiled_layers_may_keep_a_part_and_others_not() -> None:
    fast = ["sft.fit=auto", "sft.padding_free=true", "sft.torch_compile=true"]
    for stated, budgets in (((), {1.0, 0.8, 0.7, 0.5}), (("sft.activation_budget=0.65",), {1.0, 0.8, 0.7, 0.65, 0.5})):
        found = list(choices(resolve("aya_basic", [*fast, *stated]).config))
        assert {choice.activation_budget for choice in found if not choice.recompute} == budgets
        assert {choice.activation_budget for choice in found if choice.recompute} == {1.0}
        assert len({describe(choice) for choice in found}) == len(set(found)) == len(found)
    plain = resolve("aya_basic", ["sft.fit=auto", "sft.padding_free=true"]).config
    assert {choice.activation_budget for choice in choices(plain)} == {1.0}


def test_what_a_recomputed_layer_keeps_has_no_budget() -> None:
    fast = ["sft.fit=auto", "sft.padding_free=true", "sft.torch_compile=true", "sft.activation_budget=0.5"]
    config = resolve("aya_basic", fast).config  # which recomputes unless a plan says otherwise
    assert choice_of(config).activation_budget == 1
    as_stated = with_choice(config, choice_of(config))
    assert (as_stated.sft.activation_budget, as_stated.sft.gradient_checkpointing) == (1, True)


def test_micro_batches_divide_the_effective_batch_and_stay_small_unless_stated() -> None:
    config = resolve("aya_basic", ["sft.gradient_accumulation_steps=64"]).config
    assert {choice.micro_batch for choice in choices(config)} == {1, 2, 4, 8, LARGEST_MICRO_BATCH}
    stated = resolve("aya_basic", ["data.batch_size=32", "sft.gradient_accumulation_steps=2"]).config
    assert choice_of(stated).micro_batch in {choice.micro_batch for choice in choices(stated)}
    two = resolve("aya_basic", ["sft.gradient_accumulation_steps=2"]).config
    assert {choice.micro_batch for choice in choices(two)} == {1, 2}


def test_descriptions_say_what_is_different() -> None:
    assert len({describe(choice) for choice in choices(resolve("aya_basic").config)}) == 20


@pytest.mark.parametrize(
    ("profile", "gib"), [("fast_aya", 139.8), ("fast_llama", 139.8), ("small_aya", 11.9), ("small_llama", 11.9)]
)
def test_a_profile_fits_the_cards_that_it_is_for(profile: str, gib: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with the real forecast
    config = resolve(profile).config
    architecture = architecture_of(config.family, RELEASED[config.family])
    found = choose(config, architecture, assumed_lengths(config.family, config.basic.max_length), int(gib * GIB))
    assert found.choice == choice_of(config)
    assert found.fits


@pytest.mark.parametrize("profile", ["fast_aya", "fast_llama", "small_aya", "small_llama"])
def test_a_fast_way_keeps_its_kernels_on_any_card(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with the real forecast
    config = resolve(profile, ["sft.fit=auto"]).config
    architecture = architecture_of(config.family, RELEASED[config.family])
    needed = []
    for gib in (24, 48, 80, 140):
        found = choose(config, architecture, assumed_lengths(config.family, 4096), gib * GIB)
        assert found.fits
        chosen = with_choice(config, found.choice)
        assert chosen.sft.padding_free
        assert chosen.sft.torch_compile
        needed.append(found.forecast.card_bytes)
    assert needed == sorted(needed)
    assert needed[-1] > needed[0]


@pytest.mark.parametrize(
    ("profile", "ways"),
    [
        ("fast_aya", [Choice(rows, 16 // rows, False, True, budget) for rows in (2, 4) for budget in (0.8, 0.7)]),
        # At 0.7 the attention of its tower, where half of its operations are, would be computed twice.
        ("fast_llama", [Choice(rows, 16 // rows, False, True, 0.8) for rows in (2, 4)]),
    ],
)
def test_a_large_card_is_used_as_well_as_was_measured(
    profile: str, ways: list[Choice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # with the real forecast
    config = resolve(profile, ["sft.fit=auto"]).config
    architecture = architecture_of(config.family, RELEASED[config.family])
    assert choose(config, architecture, assumed_lengths(config.family, 4096), int(139.8 * GIB)).choice in ways


@pytest.mark.parametrize("profile", ["aya_adv", "llama_adv", "fast_aya"])
def test_a_plan_is_there_while_a_value_is_edited(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with the real forecast
    config = resolve(profile, ["sft.fit=auto"]).config
    architecture = architecture_of(config.family, RELEASED[config.family])
    lengths = assumed_lengths(config.family, 4096)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        found = choose(config, architecture, lengths, 48 * GIB)
        times.append(time.perf_counter() - began)
    assert found.fits
    assert min(times) < 0.1  # 25 to 40 ms on one busy core
