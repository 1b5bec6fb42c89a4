"""The trainer on rows without padding: the figures of the padded one, whatever the micro-batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inft.errors import DivergedError
from inft.runs.directory import RunDirectory
from inft.trainer import run_to_end
from inft.training import padding_free
from tests.training.runs import Home, events_of
from tests.training.steps import Step, assert_same_gradients, one_step

FREE = "sft.padding_free=true"
PROFILES = ("demo_llama", "demo_aya")
MEANS = ("entropy", "mean_token_accuracy")
"""Means over micro-batches of means over tokens, as TRL has them: they depend on the micro-batch."""


@pytest.mark.parametrize("profile", PROFILES)
def test_a_step_is_the_padded_trainers_whatever_the_micro_batch(home: Home, profile: str) -> None:
    padded = one_step(home, profile, 2, 2)
    for micro, accumulation in ((2, 2), (4, 1), (1, 4)):
        own = one_step(home, profile, micro, accumulation, FREE)
        for name in ("loss", "grad_norm", "num_tokens", *(MEANS if micro == 2 else ())):
            assert own.log[name] == pytest.approx(padded.log[name], rel=1e-4), name
        assert own.log.keys() == padded.log.keys()
        assert_same_gradients(own.gradients, padded.gradients, 1e-3)


def test_a_loss_that_is_no_number_never_meets_the_optimiser(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the first of two micro-batches; a step's losses are looked at together."""
    sums, calls, step = padding_free.loss_sums, [], Step()

    def poisoned(*arguments: Any) -> Any:
        calls.append(None)
        found = sums(*arguments)
        return replace(found, loss=found.loss * float("nan")) if len(calls) == 1 else found

    monkeypatch.setattr(padding_free, "loss_sums", poisoned)
    with pytest.raises(DivergedError, match="optimiser step 1 is nan"):
        one_step(home, "demo_aya", 1, 2, FREE, step=step)
    assert (len(calls), step.gradients) == (2, {})


@pytest.mark.slow
def test_a_run_reports_what_a_padded_one_does(home: Home) -> None:
    """With workers, evaluations on the way, several steps between two lines, and captions at the end."""
    settings = (
        *("sft.max_steps=5", "sft.logging_steps=2", "sft.gradient_accumulation_steps=2", "lora.dropout=0"),
        *("data.num_workers=1", "data.eval_split=test", "data.languages=['en', 'zh']", "sft.eval_steps=3"),
        *("basic.sample_rows=1", "sft.save_steps=3", "basic.gen_max_new_tokens=4"),
    )
    padded, own = (home.create("demo_llama", *settings, *extra) for extra in ((), (FREE,)))
    assert (run_to_end(padded), run_to_end(own)) == (0, 0), own.console_log.read_text()

    def figures(run: RunDirectory, kind: str) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in event.items() if not isinstance(value, str)}
            for event in events_of(run, kind)
        ]

    logs, expected = figures(own, "log"), figures(padded, "log")
    assert [log["global_step"] for log in logs] == [log["global_step"] for log in expected] == [1, 2, 4, 5]
    for log, right in zip(logs, expected, strict=True):
        assert log.keys() == right.keys()
        assert log["supervised_tokens"] == right["supervised_tokens"]
        samples = [event["samples_per_sec"] * event["step_time_sec"] for event in (log, right)]
        tokens = [event["tokens_per_sec"] * event["step_time_sec"] for event in (log, right)]
        assert samples[0] == pytest.approx(samples[1])
        assert tokens[0] == pytest.approx(tokens[1])
        for name in ("loss", "entropy", "num_tokens"):
            if name in right:
                assert log[name] == pytest.approx(right[name], rel=0.01), name
    evaluations, right_evaluations = figures(own, "eval"), figures(padded, "eval")
    assert len(evaluations) == 2
    for found, right in zip(evaluations, right_evaluations, strict=True):
        assert found["eval_loss"] == pytest.approx(right["eval_loss"], rel=0.002)
    assert len(own.samples.read_text().splitlines()) == 1
