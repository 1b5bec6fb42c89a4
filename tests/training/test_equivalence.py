"""How rows are cut into batches changes neither the loss nor the gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import TrainerCallback
from trl.trainer.utils import add_fused_lm_head

from inft import pipeline
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX
from inft.data.skips import SkipLedger
from inft.models.registry import FAMILIES
from inft.profiles import resolve
from inft.training.arguments import training_arguments
from inft.training.checkpointing import CheckpointPlan
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.precision import this_machine
from inft.training.report import RunReport
from inft.training.trainer import CaptionTrainer
from tests.training.runs import SHORT, Home

PROFILES = ("demo_llama", "demo_aya")
FP32 = ("qlora.load_in_4bit=false", "basic.dtype=float32")
NF4 = ("qlora.load_in_4bit=true",)


class Built:
    """A model with adapters and its collator, as the pipeline makes them."""

    def __init__(self, home: Home, profile: str, *settings: str) -> None:
        self.config: Config = resolve(profile, [*SHORT, *settings]).config
        family = FAMILIES[self.config.family]
        self.report = RunReport(home.create(profile, *settings))
        rows = pipeline.select(self.config, self.report, home.root, "train")
        checkpoint = pipeline.fetch(self.config, family, self.report, home.root)
        self.collator: CaptionCollator = pipeline.build_collator(self.config, family, checkpoint, rows)
        torch.manual_seed(7)
        self.model, self.table = pipeline.build_model(
            self.config, family, checkpoint, this_machine(), "sdpa", self.report
        )
        with torch.no_grad():  # fresh adapters are silent; these speak
            for name, parameter in self.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("settings", "tolerance"), [(FP32, 1e-5), (NF4, 1e-3)], ids=["fp32", "nf4"])
def test_batch_1_and_batch_4_give_the_same_loss(
    home: Home, profile: str, settings: tuple[str, ...], tolerance: float
) -> None:
    built = Built(home, profile, *settings)
    base = built.model.get_base_model()
    add_fused_lm_head(base)
    base.eval()
    numbers = [0, 7, 21, 33]

    def loss_sum(batch: dict[str, Any]) -> tuple[float, int]:
        supervised = int((batch["labels"] != IGNORE_INDEX).sum())
        with torch.no_grad():
            return float(base(**batch, fused_lm_head=True).loss) * supervised, supervised

    alone = [loss_sum(built.collator([{"row": number}])) for number in numbers]
    together = loss_sum(built.collator([{"row": number} for number in numbers]))
    assert together[1] == sum(tokens for _, tokens in alone)
    one_by_one = sum(loss for loss, _ in alone) / together[1]
    assert together[0] / together[1] == pytest.approx(one_by_one, rel=tolerance)


class KeepGradients(TrainerCallback):
    """What the optimiser is about to use, before clipping changes nothing but its length."""

    def __init__(self) -> None:
        self.gradients: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, *args: Any, model: torch.nn.Module, **kwargs: Any) -> None:
        self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def one_step(
    home: Home, profile: str, micro: int, accumulation: int, *settings: str, rehearses: bool = False
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first optimiser step."""
    built = Built(
        home,
        profile,
        *FP32,
        f"data.batch_size={micro}",
        f"sft.gradient_accumulation_steps={accumulation}",
        "sft.max_steps=1",
        "sft.max_grad_norm=1000000.0",
        *settings,
    )
    keep = KeepGradients()
    trainer = CaptionTrainer(
        model=built.model,
        args=training_arguments(built.config, home.root / "out", on_gpu=False),
        collator=built.collator,
        lengths=pipeline.measure(
            built.config, built.collator.corpus, built.collator, built.report, home.root, key_before=None
        ).rows,
        cost=cost_by_size,
        evaluation=None,
        meter=StepMeter(),
        plan=CheckpointPlan(home.root / "out", ("test",), keep=1),
        report=built.report,
        ledger=SkipLedger(),
        adapter_dtype=torch.float32,
        is_ending=lambda: False,
        rehearses=rehearses,
        callbacks=[keep],
    )
    passes: list[None] = []
    built.model.register_forward_pre_hook(lambda *arguments: passes.append(None))
    trainer.train()
    assert len(passes) == accumulation + rehearses
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses[0], keep.gradients


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_1x16_and_4x4_accumulation_give_the_same_loss_and_gradients(home: Home, profile: str) -> None:
    loss_a, gradients_a = one_step(home, profile, 1, 16)
    loss_b, gradients_b = one_step(home, profile, 4, 4)
    assert loss_a == pytest.approx(loss_b, rel=1e-3)
    assert gradients_a.keys() == gradients_b.keys()
    assert len(gradients_a) > 40
    for name, gradient in gradients_a.items():
        distance = torch.linalg.vector_norm(gradient - gradients_b[name])
        assert distance <= 1e-3 * torch.linalg.vector_norm(gradient), name


def test_a_rehearsal_leaves_nothing_behind(home: Home) -> None:
    """With dropout in it, a random number or a gradient too many would show."""
    loss, gradients = one_step(home, "demo_aya", 2, 2, "lora.dropout=0.1")
    same_loss, same_gradients = one_step(home, "demo_aya", 2, 2, "lora.dropout=0.1", rehearses=True)
    assert loss == same_loss
    assert all(torch.equal(gradient, same_gradients[name]) for name, gradient in gradients.items())


def test_a_row_weighs_by_its_caption_not_by_its_micro_batch(home: Home) -> None:
    """With means of means, a short caption's tokens would weigh more than a long one's."""
    built = Built(home, "demo_aya", *FP32)
    base = built.model.get_base_model()
    base.eval()
    add_fused_lm_head(base)
    lengths = [int((built.collator([{"row": n}])["labels"] != IGNORE_INDEX).sum()) for n in range(36)]
    short, long = lengths.index(min(lengths)), lengths.index(max(lengths))
    assert lengths[long] > 1.5 * lengths[short]

    def mean(numbers: list[int]) -> float:
        with torch.no_grad():
            return float(base(**built.collator([{"row": n} for n in numbers]), fused_lm_head=True).loss)

    weighted = (mean([short]) * lengths[short] + mean([long]) * lengths[long]) / (lengths[short] + lengths[long])
    assert mean([short, long]) == pytest.approx(weighted, rel=1e-5)
