"""All checks together, on this machine and with a driver of our own."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from inft.config import Config
from inft.machine.cards import Cards
from inft.machine.room import Disk
from inft.profiles import resolve
from inft.readiness import checks as checks_module
from inft.readiness import libraries
from inft.readiness.check import Check, green
from inft.readiness.checks import check_all, forecast_text
from tests.machine import driver
from tests.machine.fake_machine import GIB, T4, FakeCard, GpuIsLost
from tests.readiness.facts import CPU_TORCH, CUDA_TORCH, machine

MACHINE = [
    "driver",
    "gpu",
    "bf16",
    "gpu memory",
    "gpu health",
    "cpu",
    "host memory",
    "shared memory",
    "libraries",
    "disk",
]
PROFILE = [*MACHINE, "hub model", "hub dataset", "output folders", "rows", "forecast"]


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("INFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def lights(config: Config | None, root: Path, **options: str) -> dict[str, Check]:
    return {check.name: check for check in check_all(config, root, **options).checks}


def seeing(cards: Cards, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program that sees these GPUs."""
    (folder / "some_cards.py").write_text(
        f"import sys; sys.stdout.buffer.write({msgspec.json.encode(cards)!r})", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "some_cards"


def test_the_machine_alone(tmp_path: Path) -> None:
    found = check_all(None, tmp_path)
    assert [check.name for check in found.checks] == MACHINE
    assert found.outlook is None
    assert not any(check.status == "red" for check in found.checks if check.name not in ("libraries", "disk"))


def test_a_demo_needs_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_all(resolve("demo_aya").config, tmp_path, module=seeing(Cards("absent"), tmp_path, monkeypatch))
    assert [check.name for check in found.checks] == PROFILE
    assert [check for check in found.checks if check.status == "red"] == []
    assert found.outlook is not None
    assert found.outlook.plan is None


def test_adapters_on_no_layer_are_the_forecasts_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    check = lights(resolve("aya_basic", ["lora.target_modules=nosuch"]).config, tmp_path, module=module)["forecast"]
    assert check.status == "red"
    assert "None of the LoRA targets nosuch is a linear layer" in check.message


def test_a_cache_that_cannot_be_written_is_no_reason_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_CACHE", "/proc/nope")
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    assert lights(resolve("aya_basic").config, tmp_path, module=module)["disk"].status == "amber"
    assert lights(resolve("demo_aya").config, tmp_path, module=module)["disk"].status == "red"


def test_a_limit_of_next_to_nothing_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    config = resolve("aya_adv", ["sft.fit=auto", "sft.memory_limit_gib=1e-10"]).config
    assert lights(config, tmp_path, module=module)["forecast"].status == "red"


def test_shared_memory_is_judged_by_the_planned_micro_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    asked: list[int] = []
    monkeypatch.setattr(
        "inft.readiness.host.judge_shared", lambda room, needs: asked.append(needs.micro_batch) or green("x", "y")
    )
    check_all(resolve("llama_basic", ["sft.fit=auto", "lora.scope=language"]).config, tmp_path, module=module)
    check_all(resolve("llama_basic").config, tmp_path, module=module)
    assert asked[0] > asked[1] == 1


def test_a_limit_stands_for_a_card_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(Cards("absent"), tmp_path, monkeypatch)
    fits = {}
    for gib in (8, 24):
        config = resolve("aya_adv", ["sft.fit=auto", f"sft.memory_limit_gib={gib}"]).config
        found = check_all(config, tmp_path, module=module)
        assert found.outlook is not None
        assert found.outlook.plan is not None
        assert found.outlook.plan.budget_bytes == gib * GIB
        fits[gib] = found.outlook.plan.fits
    assert fits == {8: False, 24: True}


def test_the_recipe_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lights(resolve("aya_adv").config, tmp_path, module=seeing(Cards("absent"), tmp_path, monkeypatch))
    red = [name for name, check in found.items() if check.status == "red"]
    assert red == ["driver", "gpu", "hub model", "hub dataset"]
    assert "HF_HUB_OFFLINE" in found["hub model"].message


def test_the_recipe_on_an_h100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    found = check_all(resolve("aya_adv").config, tmp_path, module=module)
    named = {check.name: check for check in found.checks}
    assert [named[name].status for name in ("gpu", "bf16", "gpu health", "forecast")] == ["green"] * 4
    assert found.outlook is not None
    plan = found.outlook.plan
    assert plan is not None
    assert (plan.budget_bytes, plan.fits, found.outlook.rescue) == (78 * GIB, True, None)


def test_the_recipe_on_a_t4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard(**T4)), tmp_path, monkeypatch)
    assert lights(resolve("llama_adv").config, tmp_path, module=module)["bf16"].status == "red"
    fp16 = resolve("llama_adv", ["qlora.bnb_4bit_compute_dtype=float16"]).config
    assert lights(fp16, tmp_path, module=module)["bf16"].status == "green"


def test_what_is_too_much_is_told_with_a_way_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    greedy = ["data.batch_size=16", "sft.gradient_accumulation_steps=1", "sft.gradient_checkpointing=false"]
    check = lights(resolve("llama_adv", greedy).config, tmp_path, module=module)["forecast"]
    assert check.status == "amber"
    assert "of 78.0 GiB that are free 75.7 may be used (3 % stay free)" in check.message
    assert check.fix.startswith("Run with --set sft.fit=auto: ")
    assert (
        lights(resolve("llama_adv", [*greedy, "sft.fit=auto"]).config, tmp_path, module=module)["forecast"].status
        == "green"
    )


def test_where_nothing_fits_only_auto_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    for fit, status in (("manual", "amber"), ("auto", "red")):
        config = resolve("aya_adv", [f"sft.fit={fit}", "sft.memory_limit_gib=4"]).config
        check = lights(config, tmp_path, module=module)["forecast"]
        assert check.status == status
        assert "of 4.0 GiB that sft.memory_limit_gib allows 3.9 may be used" in check.message
        assert check.fix.startswith("Free GPU memory or use a larger GPU")


def test_without_a_gpu_nothing_is_limited_for_a_small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(Cards("absent"), tmp_path, monkeypatch)
    for fit in ("manual", "auto"):
        config = resolve("demo_aya", [f"sft.fit={fit}", "sft.memory_limit_gib=0.5"]).config
        found = check_all(config, tmp_path, module=module)
        assert found.checks[-1].status == "green"
        assert "trains on the CPU" in found.checks[-1].message
        assert found.outlook is not None
        assert found.outlook.plan is None


def test_the_forecast_is_of_what_the_run_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    seen = check_all(resolve("aya_adv", ["sft.fit=auto"]).config, tmp_path, module=module).outlook
    assert seen is not None
    assert seen.plan is not None
    assert seen.forecast == seen.plan.forecast
    assert seen.configured.choice != seen.forecast.choice


def test_whether_a_full_size_model_can_be_trained_here_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    for build, full_size in ((CUDA_TORCH, True), (CPU_TORCH, False)):
        monkeypatch.setattr(libraries, "installed_torch", lambda build=build: build)
        assert check_all(None, tmp_path, module=module).full_size is full_size
    assert not check_all(None, tmp_path, module=seeing(Cards("absent"), tmp_path, monkeypatch)).full_size


def test_what_has_nothing_to_look_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = {"bf16", "gpu memory", "gpu health"}
    absent = seeing(Cards("absent"), tmp_path, monkeypatch)
    assert check_all(resolve("aya_adv").config, tmp_path, module=absent).unasked == gpus
    assert check_all(resolve("demo_aya").config, tmp_path, module=absent).unasked == gpus | {"hub model", "hub dataset"}
    fp16 = resolve("demo_aya", ["qlora.bnb_4bit_compute_dtype=float16"]).config
    assert "bf16" not in check_all(fp16, tmp_path, module=absent).unasked  # which is red
    there = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    assert check_all(resolve("aya_adv").config, tmp_path, module=there).unasked == set()


def test_weights_that_nobody_tells_the_size_of_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(Cards("absent"), tmp_path, monkeypatch)
    monkeypatch.setattr(checks_module, "look_at_disk", lambda folder: Disk(1, 100 * GIB, None))
    check = lights(resolve("aya_adv").config, tmp_path, module=module)["disk"]
    assert check.status == "amber"
    assert "downloads (16.1 GiB)" in check.message
    assert "the dataset" in check.message
    monkeypatch.setattr(checks_module, "look_at_disk", lambda folder: Disk(1, 20 * GIB, None))
    assert lights(resolve("aya_adv").config, tmp_path, module=module)["disk"].status == "red"


def test_a_line_of_it_for_a_dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = seeing(Cards("absent"), tmp_path, monkeypatch)
    text = forecast_text(resolve("aya_adv", ["sft.fit=auto"]).config, tmp_path, module=absent)
    assert text == "as configured 13.2 GiB of GPU memory, lengths of the rows assumed"
    there = seeing(machine(FakeCard()), tmp_path, monkeypatch)
    text = forecast_text(resolve("aya_adv", ["sft.fit=auto"]).config, tmp_path, module=there)
    assert text is not None
    assert text.startswith("micro-batch ")
    assert "of 78.0 GiB that are free 75.7 may be used" in text


def test_a_gpu_that_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = seeing(machine(GpuIsLost("GPU is lost")), tmp_path, monkeypatch)
    found = lights(resolve("aya_adv").config, tmp_path, module=module)
    assert (found["gpu"].status, found["forecast"].status) == ("red", "amber")


@pytest.mark.parametrize("source", ["raise SystemExit('no luck')", "print('{')", "import os; os.abort()"])
def test_a_look_at_the_gpus_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    seeing(Cards("absent"), tmp_path, monkeypatch)
    (tmp_path / "some_cards.py").write_text(source)
    check = lights(resolve("aya_adv").config, tmp_path, module="some_cards")["driver"]
    assert check.status == "red"
    assert "answers an error" in check.message


def test_a_driver_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver.build(tmp_path)))
    monkeypatch.setenv("HANGS_AT_ONCE", "1")
    monkeypatch.setattr(checks_module, "CARDS_LIMIT_S", 1.0)
    began = time.monotonic()
    found = lights(resolve("demo_aya").config, tmp_path)
    assert time.monotonic() - began < 4
    assert (found["driver"].status, found["driver"].message) == ("amber", "NVIDIA's driver does not answer.")


def test_a_local_checkpoint_that_describes_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("[")
    config = resolve("demo_aya", ["basic.model_source=folder", "basic.model_path=mine"]).config
    found = check_all(config, tmp_path)
    wrong = [check.message for check in found.checks if check.name == "local model"]
    assert len(wrong) == 1
    assert "holds no weights" in wrong[0]
    assert found.outlook is None
    (tmp_path / "mine" / "model.safetensors").write_bytes(b"x")
    assert "does not describe a model" in lights(config, tmp_path)["local model"].message


def test_each_light_has_a_name_of_its_own(tmp_path: Path) -> None:
    described = tmp_path / "hf" / "hub" / "models--CohereLabs--aya-vision-8b" / "snapshots" / "v1"
    described.mkdir(parents=True)
    (described / "config.json").write_text("[")
    changes = ["basic.aya_processor_name=me/mine", "basic.revision=v1"]
    found = check_all(resolve("aya_adv", changes).config, tmp_path).checks
    names = [check.name for check in found]
    assert len(set(names)) == len(names)
    assert {"hub model", "hub processor", "hub dataset"} <= set(names)


def test_a_file_where_checkpoints_should_go(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    found = lights(resolve("demo_aya").config, tmp_path)["disk"]
    assert found.status == "red"
    assert f"{tmp_path / 'outputs'} is no folder" in found.message
