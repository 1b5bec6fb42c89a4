from __future__ import annotations

from pathlib import Path

import pytest

from inft.errors import ConfigError
from inft.forecast.choice import Choice, with_choice
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.runs.plans import (
    AlternativeRecord,
    ForecastRecord,
    PartRecord,
    PlanRecord,
    overrides_of,
    read_plan,
    write_plan,
)

CHOICE = Choice(2, 8, recompute=False, hold_dequantized=True)
WHOLE = PlanRecord(
    CHOICE,
    ForecastRecord(
        lengths="measured",
        peak_bytes=20_000_000_000,
        card_bytes=20_500_000_000,
        budget_bytes=24_000_000_000,
        margin_bytes=720_000_000,
        fits=True,
        reason="It is the fastest of the 3 of 20 ways that fit.",
        parts=(PartRecord("base", 17_000_000_000, "the base"),),
        alternatives=(AlternativeRecord(Choice(1, 16, True, False), -3.5, 12.0, True),),
    ),
)


@pytest.mark.parametrize("record", [WHOLE, PlanRecord(CHOICE)])
def test_what_is_written_is_read(tmp_path: Path, record: PlanRecord) -> None:
    run = RunDirectory(tmp_path)
    assert read_plan(run) is None
    write_plan(run, record)
    assert read_plan(run) == record
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"choice": 3}',
        '{"choice": {"micro_batch": 1}}',
        '{"choice": {"micro_batch": 0, "accumulation": 4, "recompute": true, "hold_dequantized": false}}',
        '{"choice": {"micro_batch": -3, "accumulation": -4, "recompute": true, "hold_dequantized": false}}',
        '{"choice": {"micro_batch": 1.5, "accumulation": 4, "recompute": true, "hold_dequantized": false}}',
        '{"choice": {"micro_batch": 1, "accumulation": 4, "recompute": "yes", "hold_dequantized": false}}',
        '{"choice": {"micro_batch": 1, "accumulation": 4, "recompute": false, "hold_dequantized": false, '
        '"activation_budget": 0}}',
        "\x00" * 300,
        "\x1b[31m",
    ],
)
def test_damage_is_told_by_name(tmp_path: Path, content: str) -> None:
    run = RunDirectory(tmp_path)
    run.plan.write_text(content)
    with pytest.raises(ConfigError, match="is damaged") as caught:
        read_plan(run)
    assert str(run.plan) in caught.value.message
    assert caught.value.message.isprintable()


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.plan.write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match="is damaged"):
        read_plan(run)


def test_a_key_that_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    write_plan(run, WHOLE)
    run.plan.write_text(run.plan.read_text().replace('"choice"', '"later": [1], "choice"', 1))
    assert read_plan(run) == WHOLE


def test_a_plan_of_a_version_without_budgets_keeps_everything(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.plan.write_text(
        '{"choice": {"micro_batch": 2, "accumulation": 8, "recompute": false, "hold_dequantized": true}}'
    )
    record = read_plan(run)
    assert record == PlanRecord(CHOICE)
    assert record.choice.activation_budget == 1


@pytest.mark.parametrize(
    "choice",
    [
        CHOICE,
        Choice(16, 1, recompute=True, hold_dequantized=False),
        Choice(4, 4, recompute=False, hold_dequantized=False, activation_budget=0.8),
    ],
)
def test_a_choice_as_overrides_is_the_choice(choice: Choice) -> None:
    fast = ["sft.fit=auto", "sft.padding_free=true", "sft.torch_compile=true"]
    config = resolve("aya_basic", fast).config
    assert resolve("aya_basic", [*fast, *overrides_of(choice)]).config == with_choice(config, choice)
