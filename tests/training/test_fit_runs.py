"""The plan in real runs, and in what a machine with a GPU would do before one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from inft import pipeline
from inft.errors import NotReadyError
from inft.forecast.architecture import Architecture, read_architecture
from inft.forecast.choice import Choice
from inft.forecast.lengths import assumed_lengths
from inft.models.adapters import TrainableTable
from inft.models.tiny import tiny_checkpoint
from inft.profiles import load_config
from inft.runs.directory import RunDirectory
from inft.runs.plans import PlanRecord, read_plan
from inft.trainer import run_to_end
from inft.training.callbacks import TrainerLoggingCallback
from inft.training.fit import Card
from inft.training.meter import StepMeter
from inft.training.precision import Machine
from inft.training.report import RunReport
from tests.training.runs import Home, events_of

GIB = 2**30
GPU = Machine(torch.device("cuda", 0), "A card", bf16=True, torch_version="2.13", cuda_build="13.0")


def losses(run: RunDirectory) -> list[float]:
    assert run_to_end(run) == 0
    return [event["loss"] for event in events_of(run, "log")]


@pytest.mark.slow
def test_holding_the_base_dequantised_and_leaving_the_plan_open_change_no_loss(home: Home) -> None:
    short = ("sft.max_steps=2", "basic.max_length=512")
    plain = home.create("demo_llama", *short)
    held = home.create("demo_llama", *short, "qlora.hold_dequantized=true", "sft.fit=auto")
    assert losses(held) == losses(plain)
    # Without a GPU there is nothing to plan by; what was done is kept all the same.
    assert read_plan(held) == PlanRecord(Choice(2, 1, recompute=False, hold_dequantized=True))
    assert read_plan(plain) == PlanRecord(Choice(2, 1, recompute=False, hold_dequantized=False))
    assert events_of(held, "alert") != []
    assert "plan" not in {event["kind"] for event in events_of(held, "alert")}
    assert all("forecast_vram_gib" not in event for event in events_of(held, "log"))


@pytest.fixture
def architecture(home: Home) -> Architecture:
    return read_architecture("aya", tiny_checkpoint("aya", home.cache))


def settle(
    run: RunDirectory, architecture: Architecture, free: int, patch: pytest.MonkeyPatch
) -> tuple[pipeline.Fit, list[dict[str, object]]]:
    """What the pipeline does before it loads the model on a GPU with so many bytes free."""
    patch.setattr(pipeline, "this_card", lambda: Card(free, 8 * GIB))
    patch.setattr(pipeline, "enforce_limit", lambda config, card: None)
    report = RunReport(run)
    try:
        fitted = pipeline.settle(
            run, load_config(run.config_toml), architecture, assumed_lengths("aya", 512), GPU, report
        )
    finally:
        report.close()
    return fitted, events_of(run, "alert")


def test_the_plan_is_written_down_and_told(
    home: Home, architecture: Architecture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = home.create("demo_aya", "sft.fit=auto", "data.batch_size=1", "sft.gradient_accumulation_steps=4")
    fitted, (alert,) = settle(run, architecture, 4 * GIB, monkeypatch)
    assert fitted.config.effective_batch == 4
    assert fitted.config.sft.fit == "manual"
    record = read_plan(run)
    assert record == fitted.record
    assert record is not None
    assert record.forecast is not None
    assert (alert["kind"], alert["level"]) == ("plan", "info")
    assert str(alert["message"]).startswith("Plan: ")
    assert str(alert["message"]) in capsys.readouterr().out


def test_what_is_stated_and_does_not_fit_is_tried_all_the_same(
    home: Home, architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = home.create("demo_aya", "data.batch_size=64")
    fitted, (_, warning) = settle(run, architecture, 2**20, monkeypatch)
    assert fitted.config == load_config(run.config_toml)
    assert (warning["kind"], warning["level"]) == ("memory", "warning")


def test_nothing_that_fits_ends_the_run_before_a_weight_is_loaded(
    home: Home, architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = home.create("demo_aya", "sft.fit=auto", "sft.memory_limit_gib=0.1")
    with pytest.raises(NotReadyError, match="No way to do these steps fits"):
        settle(run, architecture, 4 * GIB, monkeypatch)


@pytest.mark.parametrize("forecast", [3 * GIB, None])
def test_the_log_has_the_forecast_beside_the_peak(home: Home, forecast: int | None) -> None:
    run = home.create("demo_aya")
    report = RunReport(run)
    table = TrainableTable((), 1, ())
    logging = TrainerLoggingCallback(report, StepMeter(), table, on_gpu=False, forecast_bytes=forecast)
    arguments = TrainingArguments(output_dir=str(Path(run.path) / "out"), use_cpu=True)
    logging.on_train_begin(arguments, TrainerState(max_steps=3), TrainerControl())
    logging.on_log(arguments, TrainerState(max_steps=3), TrainerControl(), logs={"loss": 1.0})
    report.close()
    (event,) = events_of(run, "log")
    assert event.get("forecast_vram_gib") == (None if forecast is None else 3.0)
