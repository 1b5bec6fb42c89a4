"""A tiny Aya that has learned six of the demo's English captions by heart, as a run and its adapters."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from inft.config import Config
from inft.data.encoding import EncodingLimits
from inft.data.munichus import load_rows
from inft.models.adapters import add_adapters
from inft.models.checkpoint import load_processor, locate
from inft.models.quantization import load_base
from inft.models.registry import FAMILIES
from inft.profiles import resolve, to_toml
from inft.runs.bases import identify
from inft.runs.directory import RunDirectory, create_run
from inft.runs.results import Result
from inft.runs.status import Status
from inft.training.results import put_result
from tests.runs.pretend import write_status
from tests.training.nursery import Nursery

SETTINGS = (
    "data.languages=en",
    "data.num_workers=0",
    "data.article_chars=40",
    "data.max_rows_per_lang=6",
    "data.eval_fraction=none",
    "qlora.load_in_4bit=false",
    "basic.dtype=float32",
    "basic.gen_max_new_tokens=20",
    "lora.r=16",
)
STEPS = 24
LEARNING_RATE = 6e-3


@dataclass(frozen=True)
class Trained:
    """A project with one run that has ended."""

    root: Path
    cache: Path
    run: RunDirectory
    config: Config
    nursery: Nursery

    @property
    def adapters(self) -> Path:
        return self.root / self.config.best_model_dir


@pytest.fixture(scope="session")
def made(shared: Path, cache: Path) -> tuple[Path, str]:
    """The project's root and the run's id; trained by whichever process comes first."""
    root = shared / "captioning"
    with (shared / "captioning.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            root.mkdir()
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setenv("INFT_HOME", str(root))
                monkeypatch.setenv("INFT_CACHE", str(cache))
                run_id = _train(root)
            (root / "made.json").write_text(json.dumps(run_id))
    return root, json.loads((root / "made.json").read_text())


@pytest.fixture
def trained(made: tuple[Path, str], cache: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The project, which this process takes for its own; nobody may change it."""
    root, run_id = made
    for name, value in (
        ("INFT_HOME", root),
        ("INFT_CACHE", cache),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("HF_HUB_OFFLINE", 1),
    ):
        monkeypatch.setenv(name, str(value))
    run = RunDirectory(root / "logs" / run_id)
    return Trained(root, cache, run, resolve(str(run.config_toml), ()).config, nursery)


def _train(root: Path) -> str:
    config = resolve("demo_aya", SETTINGS).config
    run = create_run(config, to_toml(config), argv=["test"])
    family = FAMILIES["aya"]
    checkpoint = locate(config, family, root, lambda done, total: None)
    base = load_base(
        config,
        family,
        checkpoint,
        device=torch.device("cpu"),
        attention="sdpa",
        progress=lambda done, total: None,
    )
    torch.manual_seed(0)
    model, _ = add_adapters(base, config, family)
    rows = load_rows(config.data, root=root, split="train")
    processor = load_processor(checkpoint.processor, family)
    collator = family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE)
    batch = collator([{"row": number} for number in range(len(rows))])
    for _ in range(STEPS):
        model(**batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    result = Result(run.run_id, STEPS, base=identify(checkpoint.name, checkpoint.model))

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)

    put_result(
        root / config.best_model_dir,
        result,
        save,
        lineage=[run.run_id],
        busy=root / config.output_dir,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    write_status(run, Status("finished", step=STEPS, max_steps=STEPS, exit_code=0))
    return run.run_id
