"""Every hyperparameter of a profile arrives at the trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.errors import NotReadyError
from inft.profiles import resolve
from inft.training.arguments import training_arguments
from inft.training.precision import Machine, check_precision, use_one_gpu


def arguments(profile: str, *settings: str) -> object:
    return training_arguments(resolve(profile, settings).config, Path("out"), on_gpu=False)


def test_the_recipe_arrives_to_the_number() -> None:
    given = training_arguments(resolve("aya_adv").config, Path("out"), on_gpu=False)
    expected = {
        "learning_rate": 1.5e-4,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 16,
        "num_train_epochs": 1.0,
        "max_steps": -1,
        "weight_decay": 1e-6,
        "max_grad_norm": 0.3,
        "warmup_steps": 0.03,
        "lr_scheduler_type": "cosine",
        "optim": "adamw_torch_fused",
        "save_steps": 500,
        "save_total_limit": None,
        "logging_steps": 50,
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "bf16": True,
        "fp16": False,
        "seed": 42,
        "data_seed": 42,
        "dataloader_num_workers": 4,
        "report_to": [],
        "load_best_model_at_end": False,
        "max_length": None,
        "packing": False,
    }
    assert {name: getattr(given, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("sft.lr=0.01", "learning_rate", 0.01),
        ("sft.num_epochs=2.5", "num_train_epochs", 2.5),
        ("sft.max_steps=7", "max_steps", 7),
        ("sft.lr_scheduler_type=linear", "lr_scheduler_type", "linear"),
        ("sft.warmup_ratio=0", "warmup_steps", 100),
        ("sft.optim=paged_adamw_8bit", "optim", "paged_adamw_8bit"),
        ("sft.weight_decay=0.1", "weight_decay", 0.1),
        ("sft.max_grad_norm=2", "max_grad_norm", 2.0),
        ("sft.gradient_accumulation_steps=3", "gradient_accumulation_steps", 3),
        ("sft.gradient_checkpointing=false", "gradient_checkpointing", False),
        ("sft.logging_steps=9", "logging_steps", 9),
        ("sft.save_steps=11", "save_steps", 11),
        ("sft.seed=5", "seed", 5),
        ("sft.inference_batch_size=6", "per_device_eval_batch_size", 6),
        ("data.batch_size=8", "per_device_train_batch_size", 8),
        ("data.num_workers=0", "dataloader_num_workers", 0),
    ],
)
def test_a_knob_turns(setting: str, name: str, value: object) -> None:
    assert getattr(arguments("aya_basic", setting), name) == value
    assert getattr(arguments("aya_basic"), name) != value


def test_an_evaluation_split_brings_its_settings() -> None:
    given = training_arguments(
        resolve(
            "aya_basic",
            [
                "data.eval_split=test",
                "sft.eval_steps=50",
                "sft.save_steps=70",  # no multiple, as transformers would have it
                "sft.metric_for_best_model=eval_cider",
                "sft.greater_is_better=true",
            ],
        ).config,
        Path("out"),
        on_gpu=False,
    )
    assert (given.eval_strategy, given.eval_steps, given.load_best_model_at_end) == ("steps", 50, True)
    assert (given.metric_for_best_model, given.greater_is_better) == ("eval_cider", True)


def machine(*, gpu: str | None, bf16: bool) -> Machine:
    import torch

    return Machine(torch.device("cpu"), gpu, bf16, "2.13", None)


def test_bf16_on_a_gpu_without_it_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotReadyError, match=r"Tesla T4 has no BF16.*float16"):
        check_precision("bfloat16", machine(gpu="Tesla T4", bf16=False))
    check_precision("float16", machine(gpu="Tesla T4", bf16=False))


def test_fp16_without_a_gpu_is_refused() -> None:
    with pytest.raises(NotReadyError, match=r"needs a CUDA GPU"):
        check_precision("float16", machine(gpu=None, bf16=True))


@pytest.mark.parametrize(("visible", "left"), [(None, "0"), ("3,1", "3"), ("", ""), ("GPU-8932f937", "GPU-8932f937")])
def test_a_run_keeps_to_one_gpu(visible: str | None, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    use_one_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == left


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotReadyError, match="torchrun"):
        use_one_gpu()
