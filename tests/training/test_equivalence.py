"""How rows are cut into batches changes neither the loss nor the gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from inft.data.encoding import IGNORE_INDEX
from tests.training.runs import Home
from tests.training.steps import FP32, Built, assert_same_gradients, one_step

PROFILES = ("demo_llama", "demo_aya")
NF4 = ("qlora.load_in_4bit=true",)
METRICS = ("loss", "grad_norm", "entropy", "mean_token_accuracy", "num_tokens")


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


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_1x16_and_4x4_accumulation_give_the_same_loss_and_gradients(home: Home, profile: str) -> None:
    one_by_one, together = one_step(home, profile, 1, 16), one_step(home, profile, 4, 4)
    assert one_by_one.log["loss"] == pytest.approx(together.log["loss"], rel=1e-3)
    assert_same_gradients(together.gradients, one_by_one.gradients, 1e-3)


@pytest.mark.parametrize("padding_free", ["false", "true"], ids=["padded", "padding-free"])
def test_a_rehearsal_leaves_nothing_behind(home: Home, padding_free: str) -> None:
    """With dropout in it, a random number or a gradient too many would show."""
    settings = ("lora.dropout=0.1", f"sft.padding_free={padding_free}")
    step = one_step(home, "demo_aya", 2, 2, *settings)
    same = one_step(home, "demo_aya", 2, 2, *settings, rehearses=True)
    assert {name: same.log[name] for name in METRICS} == {name: step.log[name] for name in METRICS}
    assert_same_gradients(same.gradients, step.gradients, 0)


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
