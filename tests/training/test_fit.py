"""The plan in the trainer: budgets, what is said about them, and what is done without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import NotReadyError
from inft.forecast.architecture import architecture_of
from inft.forecast.choice import Choice, choice_of, with_choice
from inft.forecast.lengths import assumed_lengths
from inft.forecast.memory import CONTEXT_BYTES, forecast
from inft.forecast.plan import choose
from inft.forecast.speed import Speed
from inft.models.released import RELEASED
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.runs.plans import read_plan, write_plan
from inft.training.fit import Card, Fit, as_given, budget_bytes, fit, notices

GIB = 2**30
AYA = architecture_of("aya", RELEASED["aya"])
LENGTHS = assumed_lengths("aya", 4096)


def config_of(*overrides: str) -> Config:
    return resolve("aya_basic", overrides).config


def card(free_gib: float, total_gib: float = 80.0) -> Card:
    """A GPU that has so much free while this process's own context is there already."""
    return Card(int(free_gib * GIB), int(total_gib * GIB))


def fitted(free_gib: float, *overrides: str) -> Fit:
    return fit(config_of(*overrides), AYA, LENGTHS, card(free_gib))


def test_the_budget_is_what_is_free_and_the_context_that_is_there_already() -> None:
    assert budget_bytes(config_of(), card(20)) == 20 * GIB + CONTEXT_BYTES
    assert budget_bytes(config_of(), card(80)) == 80 * GIB


@pytest.mark.parametrize(("limit", "gib"), [("12", 12), ("40.5", 20 + CONTEXT_BYTES / GIB), ("none", 20.75)])
def test_a_limit_is_never_more_than_what_is_free(limit: str, gib: float) -> None:
    budget = budget_bytes(config_of(f"sft.memory_limit_gib={limit}"), card(20))
    assert budget == int(min(gib, 20 + CONTEXT_BYTES / GIB) * GIB)


@pytest.mark.parametrize("free", [14, 20, 30, 60, 79])
def test_auto_changes_nothing_but_how_steps_are_done(free: float) -> None:
    config = config_of("sft.fit=auto", "sft.gradient_accumulation_steps=8")
    found = fitted(free, "sft.fit=auto", "sft.gradient_accumulation_steps=8")
    assert found.plan is not None
    assert found.config == with_choice(config, found.plan.choice)
    assert found.config.effective_batch == config.effective_batch == 8
    assert found.config.sft.fit == "manual"
    assert found.plan.forecast == forecast(config, AYA, LENGTHS, found.plan.choice)
    assert found.plan.fits


def test_more_memory_never_makes_a_run_slower() -> None:
    config = config_of("sft.fit=auto")
    seconds = [
        Speed(config, AYA, LENGTHS).seconds_per_sample(choose(config, AYA, LENGTHS, gib * GIB).choice)
        for gib in range(16, 140, 12)
    ]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] > seconds[-1]


def test_auto_that_finds_nothing_is_not_ready_and_says_what_is_missing() -> None:
    with pytest.raises(NotReadyError, match=r"No way to do these steps fits .* of 4\.0 GiB 3\.9 may be used") as caught:
        fitted(70, "sft.fit=auto", "sft.memory_limit_gib=4")
    assert caught.value.exit_code == 3
    assert "larger GPU" in caught.value.fix
    with pytest.raises(NotReadyError) as caught:
        fitted(70, "sft.fit=auto", "sft.memory_limit_gib=12")
    assert caught.value.fix.startswith("Run with --set ")


def test_manual_goes_on_with_what_is_given_and_warns() -> None:
    given = ("data.batch_size=16", "sft.gradient_accumulation_steps=1", "sft.gradient_checkpointing=false")
    found = fitted(16, *given)
    assert found.config == config_of(*given)
    assert found.plan is not None
    assert not found.plan.fits
    plan, warning = notices(found)
    assert (plan["kind"], plan["level"]) == ("plan", "info")
    assert (warning["kind"], warning["level"]) == ("memory", "warning")
    assert plan["message"].startswith("As configured: micro-batch 16 x 1")  # which nobody should call a plan
    assert "more than it may use" in warning["message"]
    assert warning["fix"].startswith("Run with --set sft.fit=auto: ")


def test_manual_that_fits_only_says_what_is_planned() -> None:
    found = fitted(70)
    assert found.plan is not None
    (record,) = notices(found)
    assert "micro-batch 1 x 16, activations recomputed" in record["message"]
    assert record["message"].endswith("It is what the configuration says.")


def test_where_not_even_the_smallest_way_fits_no_wrong_advice_is_given() -> None:
    _, warning = notices(fitted(70, "sft.memory_limit_gib=4"))
    assert warning["fix"].startswith("Free GPU memory or use a larger GPU")


@pytest.mark.parametrize("choice", ["manual", "auto"])
def test_without_a_gpu_what_is_given_is_used_and_kept_for_a_resume(choice: str, tmp_path: Path) -> None:
    config = config_of(f"sft.fit={choice}", "data.batch_size=2", "sft.gradient_accumulation_steps=4")
    found = as_given(config)
    assert found.plan is None
    assert found.config == with_choice(config, choice_of(config))
    run = RunDirectory(tmp_path)
    write_plan(run, found.record)
    record = read_plan(run)
    assert record is not None
    assert (record.choice, record.forecast) == (Choice(2, 4, recompute=True, hold_dequantized=False), None)


def test_the_record_holds_what_the_plan_follows_from(tmp_path: Path) -> None:
    found = fitted(20, "sft.fit=auto")
    run = RunDirectory(tmp_path)
    write_plan(run, found.record)
    record = read_plan(run)
    assert record is not None
    assert record == found.record
    assert found.plan is not None
    assert record.forecast is not None
    assert record.choice == found.plan.choice
    assert sum(part.bytes for part in record.forecast.parts) == record.forecast.peak_bytes
    assert record.forecast.lengths == "assumed"
    assert len(record.forecast.alternatives) == len(found.plan.alternatives) > 0
