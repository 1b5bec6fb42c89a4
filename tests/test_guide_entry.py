"""The guide's own commands, as it writes them, on a tiny checkpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inft.guide_entry import RECIPES
from inft.profiles import resolve

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = (
    "basic.model_source=tiny",
    "data.source=demo",
    "data.languages=en",
    "data.num_workers=0",
    "sft.gradient_accumulation_steps=2",
    "sft.max_steps=2",
    "sft.logging_steps=1",
)


def command(start: list[str], home: Path, cache: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    sets = [f"--set={setting}" for setting in settings]
    return subprocess.run(
        [sys.executable, *start, *sets],
        cwd=REPOSITORY,
        env={"INFT_HOME": str(home), "INFT_CACHE": str(cache), "PATH": "/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "tag", "best"),
    [
        (["inft/llama32_inft.py", "--training-mode", "advanced"], "qlora-lora-llama32-advanced", "llama32/advanced"),
        (["-m", "inft.aya_inft"], "qlora-lora-aya8b", "aya/basic"),
    ],
)
def test_the_guides_command_trains(start: list[str], tag: str, best: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = command(start, home, tmp_path / "cache", *TINY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for said in ("CUDA GPU: none; torch 2.", "BF16: yes", "trainable in", "step 2 of 2, loss", "adapters in"):
        assert said in done.stdout
    assert (home / "outputs" / best / "best/adapter_model.safetensors").is_file()
    link = home / "logs" / f"trainer_{tag}.jsonl"
    assert link.is_symlink()
    events = [json.loads(line)["event"] for line in link.read_text().splitlines()]
    assert events[-1] == "train_end"
    console = (link.resolve().parent / "console.log").read_text()
    assert "trainable in" in console


@pytest.mark.slow
def test_a_failure_is_a_sentence_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    done = command(["-m", "inft.aya_inft"], tmp_path, tmp_path / "cache", *TINY, "sft.report_to=swanlab")
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert "failed: sft.report_to = 'swanlab' needs the package swanlab" in done.stdout
    (console,) = (tmp_path / "logs").glob("*/console.log")
    assert "Traceback" in console.read_text()


def test_a_wrong_value_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = command(["-m", "inft.aya_inft"], tmp_path, tmp_path / "cache", "sft.lr=fast")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "sft.lr" in done.stderr
    assert not (tmp_path / "logs").exists()


def test_each_recipe_is_its_familys() -> None:
    for (family, mode), profile in RECIPES.items():
        config = resolve(profile).config
        assert (config.family, config.mode) == (family, mode)
