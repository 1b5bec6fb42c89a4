from __future__ import annotations

from importlib.util import find_spec

import pytest

from inft.machine.cards import Cards
from inft.profiles import resolve
from inft.readiness.check import Check
from inft.readiness.options import judge_options
from tests.machine.fake_machine import FakeCard
from tests.readiness.facts import machine

NONE = Cards("absent")


def judged(*overrides: str, cards: Cards = NONE, profile: str = "aya_basic") -> list[Check]:
    return list(judge_options(resolve(profile, overrides).config, cards))


def test_defaults_ask_for_nothing() -> None:
    assert judged() == []


@pytest.mark.skipif(find_spec("swanlab") is not None, reason="swanlab is installed here")
def test_a_tracker_that_is_not_installed() -> None:
    (check,) = judged("sft.report_to=swanlab")
    assert (check.name, check.status) == ("tracker", "red")
    assert "pip install swanlab" in check.fix


@pytest.mark.parametrize(
    ("profile", "name", "cards", "words"),
    [
        ("aya_basic", "flash", NONE, "need a CUDA GPU"),
        ("aya_basic", "flex", machine(FakeCard()), "sft.gradient_checkpointing"),
        ("llama_basic", "flash", machine(FakeCard()), "dense cross-attention masks"),
    ],
)
def test_attention_that_the_trainer_would_refuse(profile: str, name: str, cards: Cards, words: str) -> None:
    (check,) = judged(f"basic.attn_impl={name}", cards=cards, profile=profile)
    assert (check.name, check.status) == ("attention", "red")
    assert words in check.message


def test_attention_that_works() -> None:
    assert judged("basic.attn_impl=sdpa")[0].status == "green"
    assert judged("basic.attn_impl=flex", "sft.fit=auto", cards=machine(FakeCard()))[0].status == "green"
