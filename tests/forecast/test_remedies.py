"""What makes a run fit: every change that is named is forecast to, and no other is named."""

from __future__ import annotations

import time

import pytest

from inft.forecast.architecture import architecture_of
from inft.forecast.lengths import assumed_lengths
from inft.forecast.memory import forecast
from inft.forecast.plan import MARGIN, choose
from inft.forecast.remedies import Remedy, advice, remedies
from inft.machine.units import GIB
from inft.models.released import RELEASED
from inft.profiles import resolve


def found(profile: str, gib: float, *overrides: str) -> tuple[Remedy, ...]:
    config = resolve(profile, overrides).config
    architecture = architecture_of(config.family, RELEASED[config.family])
    return remedies(config, architecture, assumed_lengths(config.family, config.basic.max_length), int(gib * GIB))


def options(remedy: Remedy) -> list[str]:
    return remedy.options.removeprefix("--set ").split(" --set ")


@pytest.mark.parametrize("profile", ["aya_adv", "llama_adv"])
@pytest.mark.parametrize("gib", [10, 11, 12, 13, 14])
@pytest.mark.parametrize(
    "stated", [("sft.fit=auto",), ("data.batch_size=4",), ("sft.inference_batch_size=16", "data.eval_split=validation")]
)
def test_what_is_named_fits_and_every_part_of_it_is_needed(profile: str, gib: int, stated: tuple[str, ...]) -> None:
    for remedy in found(profile, gib, *stated):
        changes = options(remedy)
        config = resolve(profile, [*stated, *changes]).config
        architecture = architecture_of(config.family, RELEASED[config.family])
        plan = choose(config, architecture, assumed_lengths(config.family, config.basic.max_length), int(gib * GIB))
        assert plan.fits
        assert remedy.card_bytes <= plan.usable_bytes
        if len(changes) > 1:
            assert not any(options(alone) == changes[:1] for alone in found(profile, gib, *stated))


def test_each_alone_then_as_few_as_suffice() -> None:
    alone = found("llama_adv", 14, "sft.fit=auto")
    assert [options(remedy) for remedy in alone] == [
        ["sft.padding_free=true"],
        ["sft.optim=paged_adamw_8bit"],
        ["lora.adapter_dtype=bfloat16"],
        ["lora.r=32"],
        ["lora.scope=language"],
    ]
    (pair,) = found("llama_adv", 12, "sft.fit=auto")
    assert options(pair) == ["sft.padding_free=true", "lora.adapter_dtype=bfloat16"]
    assert found("llama_adv", 8, "sft.fit=auto") == ()


def test_a_plan_of_its_own_comes_first() -> None:
    first, *_ = found("aya_basic", 24, "data.batch_size=16", "sft.gradient_accumulation_steps=1")
    assert options(first) == ["sft.fit=auto"]


def test_an_evaluation_that_is_too_large_is_made_smaller_and_no_more_than_that_needs() -> None:
    for captions, fits in (("0", 8), ("4", 4)):  # a caption's keys and values take their part
        stated = ("sft.inference_batch_size=32", "data.eval_split=validation", f"basic.eval_captions={captions}")
        (only,) = found("aya_adv", 24, *stated)
        assert options(only) == [f"sft.inference_batch_size={fits}"]
        assert found("aya_adv", 24, *stated, "sft.fit=auto") == (only,)


def test_what_the_rules_forbid_is_not_advised() -> None:
    fp16 = found("llama_adv", 14, "sft.fit=auto", "qlora.bnb_4bit_compute_dtype=float16")
    assert fp16
    for remedy in fp16:
        resolve("llama_adv", ["qlora.bnb_4bit_compute_dtype=float16", *options(remedy)])


def test_the_figure_is_the_forecast_of_that_configuration() -> None:
    (remedy,) = found("aya_adv", 12)
    config = resolve("aya_adv", options(remedy)).config
    architecture = architecture_of("aya", RELEASED["aya"])
    expected = forecast(config, architecture, assumed_lengths("aya", config.basic.max_length)).card_bytes
    assert remedy.card_bytes == expected <= 12 * GIB * (1 - MARGIN) + 1
    assert advice([remedy]) == f"Run with {remedy.options}: {expected / GIB:.1f} GiB, fits."
    assert "larger GPU" in advice([])


def test_it_is_quick_where_nothing_helps() -> None:
    began = time.process_time()
    assert found("llama_adv", 6, "sft.inference_batch_size=32", "data.eval_split=validation") == ()
    assert time.process_time() - began < 1.5  # 0.2 s
