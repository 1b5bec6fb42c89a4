"""Rows, steps, and who would be skipped, before a run is started."""

from __future__ import annotations

import pytest

from inft.config import Config
from inft.forecast.row_lengths import RowLengths
from inft.forecast.statistics import Statistics
from inft.profiles import resolve
from inft.readiness.rows import judge_rows, steps_text


def measured(good: int, too_long: int = 0) -> Statistics:
    lengths = RowLengths()
    for _ in range(good):
        lengths.add(tokens=900, tiles=4, supervised=20, cut=0, language=0)
    for _ in range(too_long):
        lengths.add_unusable("too_long", 0, 1700)
    return Statistics.of("key", "train", ["en"], lengths)


def aya(*overrides: str) -> Config:
    return resolve("aya_basic", overrides).config


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ((), "1,000 rows, 16 per step: 63 steps in 1 epoch"),
        (("sft.num_epochs=2.5",), "1,000 rows, 16 per step: 158 steps in 2.5 epochs"),
        (("sft.max_steps=30",), "1,000 rows, 16 per step: 30 steps (sft.max_steps), 0.48 epochs"),
    ],
)
def test_rows_and_steps(overrides: tuple[str, ...], text: str) -> None:
    config = aya("data.batch_size=4", "sft.gradient_accumulation_steps=4", *overrides)
    assert steps_text(config, 1000) == text
    assert judge_rows(config, measured(1000)).message == f"{text}."


@pytest.mark.parametrize(("too_long", "status"), [(3, "green"), (20, "amber"), (50, "amber"), (54, "red")])
def test_rows_that_would_be_skipped(too_long: int, status: str) -> None:
    check = judge_rows(aya(), measured(1000, too_long))
    assert check.status == status
    assert f"longer than basic.max_length even without the article {too_long}" in check.message
    if status != "green":
        assert "aise basic.max_length to at least 1,700" in check.fix


@pytest.mark.parametrize(
    ("profile", "length", "status"),
    [
        ("aya_basic", 4096, "green"),
        ("aya_basic", 2410, "amber"),
        ("aya_basic", 1024, "red"),
        ("llama_basic", 1024, "green"),
        ("demo_aya", 512, "green"),
    ],
)
def test_rows_that_nobody_has_measured(profile: str, length: int, status: str) -> None:
    config = resolve(profile, [f"basic.max_length={length}"]).config
    check = judge_rows(config, None)
    assert check.status == status
    if status != "green":
        assert "MUNIChus" in check.message
        assert "--set basic.max_length=2560" in check.fix


def test_of_another_corpus_the_assumption_keeps_nobody_from_starting() -> None:
    config = aya("basic.max_length=1024", "data.source=jsonl", "data.path=rows")
    assert judge_rows(config, None).status == "amber"
