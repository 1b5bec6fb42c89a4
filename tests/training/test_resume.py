"""A resumed run follows the curve of one that was never interrupted: the same losses, the same adapters."""

from __future__ import annotations

import json
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from inft.profiles import load_config
from inft.runs import control as requests
from inft.runs.checkpoints import Checkpoint, complete_checkpoints
from inft.runs.directory import RunDirectory
from inft.runs.results import read_result
from inft.runs.status import Cause
from inft.trainer import run_to_end
from tests.training.runs import Home, announced_steps, events_of, status_of, wait_for

CURVE = (
    "data.max_rows_per_lang=5",
    "sft.max_steps=6",
    "sft.logging_steps=4",
    "sft.gradient_accumulation_steps=2",  # an epoch's 5 micro-batches are 3 optimiser steps, the last of them shorter
    "sft.save_steps=1",
    "sft.save_total_limit=20",
    "sft.lr=0.01",
    "sft.warmup_ratio=0",
    "sft.warmup_steps=2",
    "lora.dropout=0.1",  # so that the random numbers count
)
WORSENING = ("data.max_rows_per_lang=3", "sft.max_steps=4", "sft.lr=1", "sft.warmup_steps=1", "lora.alpha=1000")
"""With these demo_llama gets worse after the first step, whose learning rate is 0: by 0.4 of a loss of 8.3, or more."""

MEASURED = (
    *("step_time_sec", "samples_per_sec", "tokens_per_sec", "model_tflops_per_sec"),
    *("data_sec", "compute_sec", "forward_sec", "backward_sec", "optimizer_sec", "elapsed_sec", "ts"),
)
EVALUATION_TIMES = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_caption_sec")


def figures(run: RunDirectory, kind: str, after: int) -> list[dict[str, Any]]:
    """What the run logged of the steps after one of them, times left out, and what a row count sums up since."""
    events = [event for event in events_of(run, kind) if event["global_step"] > after]
    out = {*MEASURED, *EVALUATION_TIMES, "supervised_tokens", "peak_vram_gib"}
    return [{key: value for key, value in event.items() if key not in out} for event in events]


def adapters(home: Home, run: RunDirectory) -> dict[str, torch.Tensor]:
    """The final adapters, which must be this run's."""
    folder = home.root / load_config(run.config_toml).best_model_dir
    assert json.loads((folder / "inft-run.json").read_text())["run_id"] == run.run_id
    return safetensors.torch.load_file(folder / "adapter_model.safetensors")


def checkpoint_of(home: Home, run: RunDirectory, step: int) -> Checkpoint:
    output_dir = home.root / load_config(run.config_toml).output_dir
    (found,) = (c for c in complete_checkpoints(output_dir) if (c.run_id, c.step) == (run.run_id, step))
    return found


def assert_same_adapters(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name]), f"{name} differs by {(tensor - other[name]).abs().max()}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "steps", "settings"),
    [
        # At an epoch's end, and in the next.
        ("demo_aya", (3, 4), ("data.num_workers=2", "lora.adapter_dtype=bfloat16", "sft.padding_free=true")),
        # In the first epoch, in the second.
        (
            "demo_llama",
            (2, 5),
            (
                "data.eval_split=test",
                "sft.eval_steps=1",
                "sft.early_stopping_patience=30",
                "sft.inference_batch_size=4",
                "basic.eval_captions=2",
                "basic.gen_max_new_tokens=4",
            ),
        ),
    ],
    ids=["aya-workers-bf16-padding-free", "llama-evaluation"],
)
def test_from_any_step_the_rest_is_the_same(
    home: Home, profile: str, steps: tuple[int, ...], settings: tuple[str, ...]
) -> None:
    whole = home.create(profile, *CURVE, *settings)
    assert run_to_end(whole) == 0
    expected = adapters(home, whole)
    losses = [event["loss"] for event in events_of(whole, "log")]
    assert len(set(losses)) == len(losses) == 3  # of steps 1, 4 and 6
    for step in steps:
        resumed = home.resume(whole, checkpoint_of(home, whole, step))
        assert run_to_end(resumed) == 0
        assert figures(resumed, "log", 0) == figures(whole, "log", step)
        assert figures(resumed, "eval", 0) == figures(whole, "eval", step)
        assert_same_adapters(adapters(home, resumed), expected)
        (begin,) = events_of(resumed, "train_begin")
        assert (begin["global_step"], begin["resumed_from"]) == (step, whole.run_id)


@pytest.mark.slow
def test_a_finished_run_resumed_trains_no_step_more(home: Home) -> None:
    # With more than one micro-batch, the Trainer would by chance stop before the optimiser's step.
    whole = home.create("demo_llama", *CURVE, "sft.gradient_accumulation_steps=1", "sft.max_steps=2")
    assert run_to_end(whole) == 0
    expected = adapters(home, whole)
    resumed = home.resume(whole, checkpoint_of(home, whole, 2))
    assert run_to_end(resumed) == 0
    assert events_of(resumed, "log") == []
    assert status_of(resumed).step == 2
    assert_same_adapters(adapters(home, resumed), expected)


@pytest.mark.slow
def test_early_stopping_goes_on_counting_and_the_best_of_the_run_before_wins(home: Home) -> None:
    settings = (
        "data.eval_split=test",
        "sft.eval_steps=1",
        "sft.early_stopping_patience=2",
        "sft.early_stopping_threshold=0",
    )
    whole = home.create("demo_llama", *CURVE, *WORSENING, *settings)
    assert run_to_end(whole) == 0
    last = status_of(whole).step
    assert last == 3
    for step in (2, last):
        resumed = home.resume(whole, checkpoint_of(home, whole, step))
        assert run_to_end(resumed) == 0
        assert status_of(resumed).step == last
        assert figures(resumed, "eval", 0) == figures(whole, "eval", step)
        first = safetensors.torch.load_file(checkpoint_of(home, whole, 1).path / "adapter_model.safetensors")
        assert_same_adapters(adapters(home, resumed), first)
    # By other figures, neither is the first one the best nor has anything failed to improve.
    by_others = home.resume(
        whole, checkpoint_of(home, whole, last), "sft.metric_for_best_model=entropy", "sft.greater_is_better=true"
    )
    assert run_to_end(by_others) == 0
    assert status_of(by_others).step == 4
    result = read_result(home.root / load_config(by_others.config_toml).best_model_dir)
    assert result is not None
    assert (result.step, result.is_best) == (4, True)
    told = [event["message"] for event in events_of(by_others, "alert") if "decided by other" in event["message"]]
    assert len(told) == 1
    assert "sft.metric_for_best_model was eval_loss and is eval_entropy" in told[0]


@pytest.mark.slow
def test_a_run_killed_and_killed_again_after_a_save_and_stopped_goes_on_as_if_it_had_not_been(home: Home) -> None:
    settings = (*CURVE, "sft.gradient_accumulation_steps=1", "sft.max_steps=16", "data.num_workers=1")
    whole = home.create("demo_llama", *settings, "sft.save_steps=100")
    assert run_to_end(whole) == 0
    expected = adapters(home, whole)

    moment = random.Random().randint(4, 7)
    run, step = home.create("demo_llama", *settings, "sft.save_steps=3"), 0
    for way, steps in (("kill", moment), ("save", 1), ("stop", 1)):  # each goes on from what the one before has left
        process = home.fork(run, prelude=announced_steps(0.1))
        wait_for(lambda run=run, steps=steps: run.console_log.read_text().count("a step is done") >= steps, process)
        if way == "stop":
            requests.ask(run, "stop")
            assert process.wait(60) == 130
        else:
            if way == "save":
                requests.ask(run, "save")
                wait_for(lambda run=run: not requests.pending(run), process)
            process.kill()
            assert process.wait(30) == -signal.SIGKILL
        output_dir = home.root / load_config(run.config_toml).output_dir
        saved = [found for found in complete_checkpoints(output_dir) if found.run_id == run.run_id][-1]
        assert step < saved.step < 16
        run, step = home.resume(run, saved, "sft.save_steps=100"), saved.step
    assert run_to_end(run) == 0
    assert figures(run, "log", 0) == figures(whole, "log", step), f"killed at {moment}, at last resumed at {step}"
    assert_same_adapters(adapters(home, run), expected)


EVALUATED = (
    *CURVE,
    "sft.max_steps=4",
    "data.eval_split=test",
    "sft.eval_steps=1",
    "sft.early_stopping_patience=30",
    "sft.inference_batch_size=5",
    "data.num_workers=1",
    "basic.eval_captions=1",
    "basic.gen_max_new_tokens=4",
)


def stopped_in(method: str, step: int) -> str:
    """Statements by which the trainer gets SIGTERM in the second call, at a step, of one of its methods."""
    return (
        "import os, signal, inft.training.checkpointing as c\n"
        f"before = c.CheckpointingTrainer.{method}\n"
        "calls = 0\n"
        "def stopped(self, *a, **k):\n"
        "    global calls\n"
        f"    calls += self.state.global_step == {step}\n"
        "    if calls == 2: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"    return before(self, *a, **k)\n"
        f"c.CheckpointingTrainer.{method} = stopped\n"
    )


class TestEvaluations:
    """They neither shape the curve nor hold up an end."""

    @pytest.mark.slow
    def test_neither_their_number_nor_one_that_a_stop_cuts_short_changes_anything(self, home: Home) -> None:
        whole = home.create("demo_llama", *EVALUATED)
        assert run_to_end(whole) == 0
        expected = adapters(home, whole)
        seldom = home.create("demo_llama", *EVALUATED, "sft.eval_steps=2", "sft.save_steps=2")
        assert run_to_end(seldom) == 0
        assert figures(seldom, "log", 0) == figures(whole, "log", 0)
        # Before an evaluation; and in the last one, after which nothing would be left to train.
        for method, at, step, evaluated in (("training_step", 1, 2, 1), ("prediction_step", 4, 4, 3)):
            broken = home.create("demo_llama", *EVALUATED)
            process = home.fork(broken, prelude=stopped_in(method, at))
            assert process.wait(120) == 130, broken.console_log.read_text()
            assert figures(broken, "eval", 0) == figures(whole, "eval", 0)[:evaluated]
            assert [event["global_step"] for event in events_of(broken, "checkpoint")] == list(range(1, step + 1))
            assert status_of(broken).state == "stopped"
            # The first run that goes on is stopped in the evaluation that it has to make up for.
            again = home.resume(broken, checkpoint_of(home, broken, step))
            assert home.fork(again, prelude=stopped_in("prediction_step", step)).wait(120) == 130
            assert status_of(again).state == "stopped"
            assert (events_of(again, "eval"), events_of(again, "log")) == ([], [])
            resumed = home.resume(again, checkpoint_of(home, broken, step))
            assert run_to_end(resumed) == 0
            assert figures(resumed, "eval", 0) == figures(whole, "eval", evaluated)
            assert figures(resumed, "log", 0) == figures(whole, "log", step)
            assert_same_adapters(adapters(home, resumed), expected)

    @pytest.mark.slow
    def test_one_that_is_made_up_for_can_be_the_best(self, home: Home) -> None:
        broken = home.create("demo_llama", *EVALUATED, *WORSENING)
        assert home.fork(broken, prelude=stopped_in("prediction_step", 1)).wait(120) == 130
        first = checkpoint_of(home, broken, 1)
        expected = safetensors.torch.load_file(first.path / "adapter_model.safetensors")
        resumed = home.resume(broken, first, "sft.max_steps=2")
        assert run_to_end(resumed) == 0
        assert_same_adapters(adapters(home, resumed), expected)


@pytest.mark.slow
def test_a_stop_during_a_save_takes_no_step_more(home: Home) -> None:
    run = home.create("demo_llama", *CURVE)
    once = stopped_in("_save_checkpoint", 3).replace("calls == 2", "calls == 1")
    assert home.fork(run, prelude=once).wait(120) == 130
    assert status_of(run).step == 3
    assert [event["global_step"] for event in events_of(run, "checkpoint")] == [1, 2, 3]


class TestTheBestOfTheRunBefore:
    """It is this run's lineage's, or it is not taken."""

    SETTINGS = (
        *CURVE,
        *WORSENING,
        "data.eval_split=test",
        "sft.eval_steps=1",
        "sft.early_stopping_patience=30",
    )

    @pytest.mark.slow
    def test_is_safe_from_what_happens_in_a_folder_that_the_run_does_not_hold(self, home: Home) -> None:
        before = home.create("demo_llama", *self.SETTINGS)
        assert run_to_end(before) == 0
        config = load_config(before.config_toml)
        best = safetensors.torch.load_file(checkpoint_of(home, before, 1).path / "adapter_model.safetensors")
        resumed = home.resume(before, checkpoint_of(home, before, 3), f"{config.output_dir_key}=outputs/elsewhere")

        def gone(event: dict[str, object]) -> None:
            if event["event"] == "train_begin":
                shutil.rmtree(home.root / config.output_dir)

        assert run_to_end(resumed, [gone]) == 0
        assert figures(resumed, "log", 0) == figures(before, "log", 3)
        assert_same_adapters(adapters(home, resumed), best)
        own = complete_checkpoints(home.root / "outputs/elsewhere")
        assert [(found.step, found.run_id) for found in own] == [
            (1, before.run_id),
            (3, before.run_id),
            (4, resumed.run_id),
        ]

        shutil.rmtree(own[0].path)
        without = home.resume(resumed, own[1])
        assert run_to_end(without) == 0
        result = read_result(home.root / load_config(without.config_toml).best_model_dir)
        assert result is not None
        assert (result.step, result.is_best) == (4, False)
        (told,) = (event for event in events_of(without, "alert") if "known to be the best" in event["message"])
        assert told["fix"] == "The final adapters are those of the last step."

    @pytest.mark.slow
    def test_is_not_taken_from_a_stranger(self, home: Home) -> None:
        run = home.create("demo_llama", *self.SETTINGS, "sft.max_steps=2")
        output_dir = home.root / load_config(run.config_toml).output_dir

        def replaced(event: dict[str, object]) -> None:
            if event["event"] == "checkpoint" and event["global_step"] == 2:
                manifest = output_dir / "checkpoint-1/inft-checkpoint.json"
                manifest.write_text(manifest.read_text().replace(run.run_id, "stranger"))

        assert run_to_end(run, [replaced]) == 0
        last = safetensors.torch.load_file(checkpoint_of(home, run, 2).path / "adapter_model.safetensors")
        assert_same_adapters(adapters(home, run), last)
        assert any("gone or another run's" in str(event["message"]) for event in events_of(run, "alert"))
        result = home.root / load_config(run.config_toml).best_model_dir / "inft-run.json"
        assert json.loads(result.read_text())["step"] == 2


@pytest.mark.slow
def test_what_cannot_be_resumed_exactly_is_refused_and_other_rows_unless_forced(home: Home) -> None:
    ended = home.create("demo_llama", "sft.save_steps=1", "sft.save_total_limit=3")
    assert run_to_end(ended) == 0
    at = checkpoint_of(home, ended, 2)

    def refused(*settings: str, checkpoint: Checkpoint = at) -> Cause:
        run = home.resume(ended, checkpoint, *settings)
        assert run_to_end(run) == 6
        cause = status_of(run).cause
        assert cause is not None
        return cause

    missing = Checkpoint(at.path.with_name("checkpoint-77"), 77, ended.run_id)
    assert "checkpoint-77" in refused(checkpoint=missing).message

    optimizer = at.path / "optimizer.pt"
    content = optimizer.read_bytes()
    optimizer.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    assert "optimizer.pt" in refused().message
    optimizer.write_bytes(content)

    cause = refused("data.max_rows_per_lang=10")
    assert cause.message == (
        f"The rows are not those of run {ended.run_id}: there are 20 rows to train on now, and were 36."
    )
    assert "--force" in cause.fix
    forced = home.resume(ended, at, "data.max_rows_per_lang=10", forced=True)
    assert run_to_end(forced) == 0
    assert any(event["kind"] == "rows" and event["level"] == "warning" for event in events_of(forced, "alert"))


@pytest.mark.slow
def test_checkpoints_of_the_lineage_stay_and_are_rotated_with_the_new_ones(home: Home) -> None:
    first = home.create("demo_llama", "sft.save_steps=1", "sft.save_total_limit=2", "sft.max_steps=4")
    assert run_to_end(first) == 0
    output_dir = home.root / load_config(first.config_toml).output_dir
    assert [found.step for found in complete_checkpoints(output_dir)] == [3, 4]
    resumed = home.resume(first, checkpoint_of(home, first, 3), "sft.save_steps=1", "sft.save_total_limit=2")
    assert run_to_end(resumed) == 0
    left = {found.path.relative_to(output_dir).as_posix(): found.run_id for found in complete_checkpoints(output_dir)}
    earlier = next(name for name in left if name.startswith("earlier-"))
    assert left == {
        "checkpoint-3": first.run_id,
        "checkpoint-4": resumed.run_id,
        earlier: first.run_id,
    }
    best = home.root / load_config(first.config_toml).best_model_dir
    assert list(best.parent.glob("best*")) == [best], "an earlier result of the same lineage is replaced"
    assert not list(Path(output_dir).glob(".*-*"))
