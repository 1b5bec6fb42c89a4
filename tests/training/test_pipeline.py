"""Whole runs of the real pipeline on tiny checkpoints: what they leave behind, and how they end."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from PIL import Image

from inft import pipeline
from inft.data.demo import __file__ as demo_module
from inft.forecast.statistics import cached_statistics, read_row_lengths
from inft.models.checkpoint import load_processor
from inft.models.quantization import load_base
from inft.models.registry import FAMILIES
from inft.profiles import load_config
from inft.runs.directory import RunDirectory
from inft.runs.results import read_result
from inft.trainer import run_to_end
from inft.training.order import first_step
from tests.training.runs import Home, events_of, status_of, wait_for

DEMO = Path(demo_module).parent
PROFILES = ("demo_llama", "demo_aya")


def reloaded_logits(home: Home, run: RunDirectory, adapters: Path | None, batch: dict[str, Any]) -> torch.Tensor:
    """Logits of a freshly loaded base, with the saved adapters on it if there are any."""
    config = load_config(run.config_toml)
    family = FAMILIES[config.family]
    checkpoint = pipeline.fetch(config, family, None, home.root)  # type: ignore[arg-type]  # nothing is downloaded
    model = load_base(
        config, family, checkpoint, device=torch.device("cpu"), attention="sdpa", progress=lambda done, total: None
    )
    if adapters is not None:
        model = PeftModel.from_pretrained(model, adapters)
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return model(**batch).logits.float()


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", ["basic", "advanced"])
def test_a_run_leaves_what_the_design_promises(
    home: Home, profile: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    save = pipeline.save

    def save_and_look(model: Any, collator: Any, folder: Path) -> None:
        save(model, collator, folder)
        batch = {name: value for name, value in collator([{"row": 3}, {"row": 20}]).items() if name != "labels"}
        model.eval()
        dtypes = {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
        assert dtypes == {torch.float32}, "TRL casts them to bf16 behind one's back"
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            kept.update(batch=batch, logits=model(**batch).logits.float())

    monkeypatch.setattr(pipeline, "save", save_and_look)
    out = [f"sft.{'llama_32' if 'llama' in profile else 'aya'}_output_dir=out/c"]
    run = home.create(profile, f"mode={mode}", "basic.sample_rows=3", "sft.save_steps=2", "basic.max_length=512", *out)
    told: list[dict[str, Any]] = []
    assert run_to_end(run, [told.append]) == 0

    status = status_of(run)
    assert (status.state, status.step, status.max_steps, status.exit_code) == ("finished", 3, 3, 0)
    logs = events_of(run, "log")
    assert [event["global_step"] for event in logs] == [1, 2, 3]
    for event in logs:
        assert event["loss"] > 0
        assert event["grad_norm"] > 0
        assert 0 < event["data_sec"] + event["compute_sec"] <= event["step_time_sec"] * 1.001
        parts = [event[f"{part}_sec"] for part in ("data", "forward", "backward", "optimizer")]
        assert all(part > 0 for part in parts)
        assert 0.7 * event["step_time_sec"] < sum(parts) <= event["step_time_sec"] * 1.001
        assert 0 < event["model_tflops_per_sec"] < 10
        assert event["mfu"] is None
        assert event["supervised_tokens"] > 0
        assert event["samples_per_sec"] > 0
        assert event["tokens_per_sec"] > event["samples_per_sec"]
    (begin,) = events_of(run, "train_begin")
    groups = {"language", "vision"} | ({"projector"} if mode == "advanced" else set())
    assert set(begin["trainable_by_group"]) == groups
    assert begin["trainable_parameters"] == sum(begin["trainable_by_group"].values())
    assert begin["matrix_tflops"] is None, "there is no GPU"
    names = {event["name"] for event in events_of(run, "stage")}
    assert {"data", "weights", "saving"} <= names
    checkpoints = [Path(event["path"]) for event in events_of(run, "checkpoint")]
    assert [path.name for path in checkpoints] == ["checkpoint-2", "checkpoint-3"]
    assert all((path / "adapter_model.safetensors").is_file() for path in checkpoints)
    operations = json.loads((checkpoints[-1] / "trainer_state.json").read_text())["total_flos"]
    assert operations == pytest.approx(sum(1e12 * log["model_tflops_per_sec"] * log["step_time_sec"] for log in logs))
    samples = [json.loads(line) for line in run.samples.read_text().splitlines()]
    assert len(samples) == 3
    assert {sample["language"] for sample in samples} == {"en", "si"}
    assert all(sample["reference_caption"] and Path(sample["image"]).is_file() for sample in samples)
    assert [sample["row"] for sample in samples] == [0, 12, 24], "spread over the rows trained on"
    assert [sample["final"] for sample in samples] == [True] * 3
    for sample in samples:
        with Image.open(run.path / sample["picture"]) as copy:
            assert (copy.format, max(copy.size) <= 480) == ("JPEG", True)
    (end,) = events_of(run, "train_end")
    saved = home.root / load_config(run.config_toml).best_model_dir
    assert (end["state"], end["best_model_dir"]) == ("finished", str(saved))
    result = read_result(saved)
    assert result is not None
    assert (result.run_id, result.step, result.is_best) == (run.run_id, 3, False)
    assert [json.dumps(event) for event in told] == [json.dumps(event) for event in events_of(run)]

    # The folder is enough to go on from: the processor as it was, and adapters that give the trained model's logits.
    family = FAMILIES[load_config(run.config_toml).family]
    assert load_processor(saved, family).chat_template
    assert not list(saved.glob("*.bin"))
    again = reloaded_logits(home, run, saved, kept["batch"])
    torch.testing.assert_close(again, kept["logits"], rtol=0, atol=1e-4)
    bare = reloaded_logits(home, run, None, kept["batch"])
    assert (bare - kept["logits"]).abs().max() > 1e-2, "the adapters change nothing, so the check above shows nothing"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_losses_and_another_gives_others(home: Home) -> None:
    def losses(*settings: str) -> list[float]:
        run = home.create("demo_aya", "sft.lr=0.01", *settings)
        assert run_to_end(run) == 0
        return [event["loss"] for event in events_of(run, "log")]

    first = losses()
    assert losses() == pytest.approx(first, rel=1e-5)
    other = losses("sft.seed=1")
    assert other[0] == pytest.approx(first[0], rel=1e-5), "the first step is the heaviest, whatever the seed"
    assert other[1] != pytest.approx(first[1], rel=1e-4), "sft.seed decides the order of the rows behind it"


@pytest.mark.slow
def test_the_first_step_is_the_heaviest_by_lengths_that_are_measured_once(home: Home) -> None:
    settings = ("data.article_chars=77", "sft.max_steps=1")  # no other test's lengths
    runs = [home.create("demo_llama", *settings) for _ in range(2)]
    assert [run_to_end(run) for run in runs] == [0, 0]
    measured = [[event for event in events_of(run, "stage") if event["name"] == "lengths"] for run in runs]
    assert [(event["done"], event["total"], event["unit"]) for event in measured[0]] == [
        (0, 36, "rows"),
        (36, 36, "rows"),
    ]
    assert measured[1] == []

    config = load_config(runs[0].config_toml)
    statistics = cached_statistics(config, home.root)
    assert statistics is not None
    lengths = read_row_lengths(statistics)
    assert lengths is not None
    heaviest = first_step(lengths, config.data.batch_size, config.sft.gradient_accumulation_steps)
    (log,) = events_of(runs[0], "log")
    assert log["supervised_tokens"] == sum(lengths.supervised[row] for row in heaviest)
    assert statistics.table.heaviest(1)[-1].tokens == max(lengths.tokens[row] for row in heaviest)


@pytest.mark.slow
def test_an_evaluation_split_is_evaluated_and_the_best_checkpoint_wins(home: Home) -> None:
    run = home.create(
        "demo_aya",
        "data.eval_split=test",
        "sft.eval_steps=1",
        "sft.save_steps=1",
        "sft.max_steps=4",
        "sft.save_total_limit=2",
        "sft.inference_batch_size=6",
        "sft.early_stopping_patience=1",
        "sft.lr=1",  # so that it only gets worse after the first step, which has a learning rate of 0
        "basic.sample_rows=1",
    )
    assert run_to_end(run) == 0
    evaluations = events_of(run, "eval")
    losses = [event["eval_loss"] for event in evaluations]
    assert len(losses) < 4, "early stopping ends it"
    assert losses[0] == min(losses)
    adapters = home.root / "outputs/demo_aya"
    import safetensors.torch

    best = safetensors.torch.load_file(adapters / "best/adapter_model.safetensors")
    first = safetensors.torch.load_file(adapters / "checkpoints/checkpoint-1/adapter_model.safetensors")
    assert all(torch.equal(best[name], first[name]) for name in best)
    result = read_result(adapters / "best")
    assert result is not None
    assert (result.run_id, result.step, result.is_best) == (run.run_id, 1, True)
    assert [event["global_step"] for event in events_of(run, "sample")] == [1]
    assert events_of(run, "train_end")[0]["global_step"] == len(losses)


@pytest.mark.slow
def test_a_signal_ends_the_run_at_the_next_step_with_a_checkpoint(home: Home) -> None:
    number = signal.SIGTERM  # Ctrl-C is in tests/test_guide_entry.py
    run = home.create("demo_llama", "sft.max_steps=100000", "sft.num_epochs=10000", "data.num_workers=1")
    process = home.trainer(run)
    wait_for(lambda: len(events_of(run, "log")) >= 2, process)
    process.send_signal(signal.SIGHUP)
    process.send_signal(number)
    assert process.wait(60) == 130
    status = status_of(run)
    assert (status.state, status.exit_code) == ("stopped", 130)
    step = events_of(run, "log")[-1]["global_step"]
    assert Path(events_of(run, "checkpoint")[-1]["path"]).name == f"checkpoint-{step}"
    assert (home.root / "outputs/demo_llama/best/adapter_model.safetensors").is_file()
    assert "Traceback" not in run.console_log.read_text()


@pytest.mark.slow
def test_a_signal_before_training_ends_the_run_at_once(home: Home) -> None:
    run = home.create("demo_llama")
    process = home.trainer(run)
    wait_for(lambda: run.status_json.exists(), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert status_of(run).state == "stopped"


@pytest.mark.slow
def test_a_later_run_leaves_an_earlier_runs_results_alone(home: Home) -> None:
    first, second = (home.create("demo_aya", "sft.save_total_limit=1", f"sft.max_steps={steps}") for steps in (3, 2))
    outputs = home.root / "outputs/demo_aya"
    assert run_to_end(first) == 0
    adapters = (outputs / "best/adapter_model.safetensors").read_bytes()
    assert run_to_end(second) == 0
    (checkpoint,) = outputs.glob("checkpoints/earlier-*/checkpoint-3")
    assert (checkpoint / "adapter_model.safetensors").is_file()
    (earlier,) = outputs.glob("best-earlier-*")
    assert (earlier / "adapter_model.safetensors").read_bytes() == adapters
    assert (outputs / "best/adapter_model.safetensors").read_bytes() != adapters
    moved = [event for event in events_of(second, "alert") if event["kind"] == "earlier"]
    assert [event["level"] for event in moved] == ["info", "info"]


@pytest.mark.slow
def test_the_last_step_is_logged_whatever_the_cadence(home: Home) -> None:
    run = home.create("demo_aya", "sft.logging_steps=50")
    assert run_to_end(run) == 0
    assert [event["global_step"] for event in events_of(run, "log")] == [1, 3]


class TestFailures:
    """Each ends with its exit code, one sentence, and everything that was there before."""

    @pytest.mark.slow
    def test_the_log_on_a_full_disk(self, home: Home) -> None:
        run = home.create("demo_llama")
        run.metrics.unlink()
        run.metrics.symlink_to("/dev/full")
        process = home.fork(run)
        assert process.wait(120) == 7
        status = status_of(run)
        assert status.cause is not None
        assert (status.state, status.cause.kind) == ("failed", "disk")
        assert "no space left" in status.cause.message.lower()

    @pytest.mark.slow
    def test_a_checkpoint_on_a_full_disk_leaves_the_earlier_one_whole(self, home: Home) -> None:
        run = home.create("demo_llama", "sft.save_steps=1", "sft.max_steps=5")
        # Larger files than this cannot be written once the second step is done.
        prelude = (
            "import resource, inft.training.trainer as t\n"
            "save = t.CaptionTrainer._save_checkpoint\n"
            "def limited(self, *a, **k):\n"
            "    if self.state.global_step == 2:\n"
            "        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "    return save(self, *a, **k)\n"
            "t.CaptionTrainer._save_checkpoint = limited\n"
        )
        process = home.fork(run, prelude=prelude)
        assert process.wait(120) == 7
        status = status_of(run)
        assert status.cause is not None
        assert (status.state, status.cause.kind) == ("failed", "disk")
        assert "earlier checkpoints" in status.cause.fix
        (checkpoint,) = (Path(event["path"]) for event in events_of(run, "checkpoint"))
        assert checkpoint.name == "checkpoint-1"
        import safetensors.torch

        assert safetensors.torch.load_file(checkpoint / "adapter_model.safetensors")

    @pytest.mark.slow
    def test_a_loss_that_is_no_number_stops_before_it_is_used(self, home: Home) -> None:
        run = home.create("demo_llama", "sft.save_steps=1", "sft.max_steps=5")
        prelude = (
            "import torch, trl\n"
            "compute = trl.SFTTrainer.compute_loss\n"
            "def poisoned(self, *a, **k):\n"
            "    loss = compute(self, *a, **k)\n"
            "    return loss * float('nan') if self.state.global_step == 2 else loss\n"
            "trl.SFTTrainer.compute_loss = poisoned\n"
        )
        assert home.fork(run, prelude=prelude).wait(120) == 5
        cause = status_of(run).cause
        assert cause is not None
        assert cause.kind == "diverged"
        assert "step 3" in cause.message
        assert len(events_of(run, "checkpoint")) == 2

    def test_too_short_a_limit_says_how_much_is_needed(self, home: Home) -> None:
        run = home.create("demo_aya", "basic.max_length=64")
        assert run_to_end(run) == 2
        cause = status_of(run).cause
        assert cause is not None
        assert "basic.max_length is 64" in cause.message

    def test_a_missing_model_folder(self, home: Home) -> None:
        run = home.create("demo_aya", "basic.model_source=folder", "basic.model_path=nowhere")
        assert run_to_end(run) == 2
        cause = status_of(run).cause
        assert cause is not None
        assert str(home.root / "nowhere") in cause.message

    def test_targets_that_are_in_no_model(self, home: Home) -> None:
        run = home.create("demo_aya", "lora.target_modules=qproj,wibble")
        assert run_to_end(run) == 2
        cause = status_of(run).cause
        assert cause is not None
        assert "qproj" in cause.message

    def test_a_tracker_without_its_package(self, home: Home) -> None:
        run = home.create("demo_aya", "sft.report_to=swanlab")
        assert run_to_end(run) == 3
        cause = status_of(run).cause
        assert cause is not None
        assert "swanlab" in cause.message

    def test_fp16_without_a_gpu(self, home: Home) -> None:
        run = home.create("demo_aya", "qlora.bnb_4bit_compute_dtype=float16")
        assert run_to_end(run) == 3

    def test_flash_on_llama_is_refused_with_the_reason(self, home: Home) -> None:
        run = home.create("demo_llama", "basic.attn_impl=flash")
        assert run_to_end(run) == 2
        cause = status_of(run).cause
        assert cause is not None
        assert "cross-attention" in cause.message

    def test_a_damaged_picture_is_skipped_and_counted(self, home: Home) -> None:
        corpus = own_corpus(home.root / "corpus", damage=1)
        run = home.create(
            "demo_aya", "data.source=jsonl", f"data.path={corpus}", "sft.num_epochs=1", "sft.max_steps=20"
        )
        assert run_to_end(run) == 0
        warnings = [event["message"] for event in events_of(run, "alert") if event["level"] == "warning"]
        assert any("picture cannot be decoded" in message and "line 1" in message for message in warnings)

    def test_many_damaged_pictures_stop_the_run_with_the_list(self, home: Home) -> None:
        corpus = own_corpus(home.root / "corpus", damage=12)
        run = home.create("demo_aya", "data.source=jsonl", f"data.path={corpus}", "sft.max_steps=20")
        assert run_to_end(run) == 6
        cause = status_of(run).cause
        assert cause is not None
        assert "picture cannot be decoded: 12" in cause.fix
        assert "36 rows seen, 12 skipped" in cause.fix, "each row is counted once, however many epochs there are"
        saved = home.root / "outputs/demo_aya/best"
        assert (saved / "adapter_model.safetensors").is_file(), "what was trained is not thrown away"
        assert any(str(saved) in event["message"] for event in events_of(run, "alert"))


def own_corpus(folder: Path, damage: int) -> Path:
    """The demo's English and Sinhala rows, the pictures of the first `damage` of them cut off."""
    shutil.copytree(DEMO / "images", folder / "images")
    lines = (DEMO / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["language"] in ("en", "si")]
    for index, row in enumerate(rows):
        if index < damage:
            name = f"images/damaged-{index}.jpg"
            (folder / name).write_bytes((DEMO / row["image"]).read_bytes()[:2000])
            row["image"] = name
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "train.jsonl").write_text(text + "\n", encoding="utf-8")
    return folder
