"""Rows that lie end to end give what the same rows give to transformers' own forward pass, alone and padded."""

from __future__ import annotations

from pathlib import Path

import bitsandbytes
import pytest
import torch
from peft import PeftModel
from torch import nn

from inft.data.packing import PackedRows
from inft.models.narrow_norms import narrow_norms
from inft.models.packed_llama32 import crossing_segments, rounded, tower_order
from inft.models.packed_loss import AT_A_TIME, loss_sums
from inft.params import FamilyName
from tests.models.bases import FULL_PRECISION
from tests.models.packed_bases import (
    adapted,
    distance,
    encoded,
    gradients,
    pack,
    packed_hidden,
    packed_sums,
    padded_hidden,
    padded_loss,
    set_up,
)
from tests.training.steps import assert_same_gradients

WINDOW = 300
"""Tokens that a layer of Aya looks back here; one of the rows is shorter, the others are longer."""


def test_hidden_states_loss_and_gradients_are_the_plain_paths(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    maker, chosen = encoded(family)
    model = adapted(tiny[family], family, *FULL_PRECISION)
    if family == "aya":
        model.get_base_model().model.language_model.config.sliding_window = WINDOW
    batch = pack(maker, chosen)
    assert min(batch.lengths) < WINDOW < max(batch.lengths)
    assert {1, max(batch.tiles)} < set(batch.tiles)
    padded = maker.pad(chosen, "right")
    with torch.no_grad():
        alone = [padded_hidden(model, maker.pad([row], "right"))[0] for row in chosen]
        together = padded_hidden(model, padded)
    loss, right = gradients(model, lambda: padded_loss(model, padded))

    set_up(model, family, *FULL_PRECISION, "sft.gradient_checkpointing=false")
    with torch.no_grad():
        hidden = packed_hidden(model, family, batch).split(batch.lengths)
    for own, single, row in zip(hidden, alone, together, strict=True):
        torch.testing.assert_close(own, single, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own, row[: len(own)], rtol=1e-4, atol=1e-4)
    for recompute in ("false", "true"):
        set_up(model, family, *FULL_PRECISION, f"sft.gradient_checkpointing={recompute}")
        same_loss, found = gradients(model, lambda: packed_sums(model, family, batch).loss)
        assert same_loss == pytest.approx(loss, rel=1e-5)
        assert_same_gradients(found, right, 1e-4)


def in_fp32(model: PeftModel) -> None:
    """Has the model compute in fp32, with the values that its 4-bit and bf16 weights stand for."""
    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.compute_dtype, module.compute_type_is_set = torch.float32, True
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype == torch.bfloat16:
            tensor.data = tensor.data.float()


def test_in_bf16_it_is_no_further_from_fp32_than_the_plain_path(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    maker, chosen = encoded(family)
    chosen = chosen[1:]
    plain, packed, exact = (adapted(tiny[family], family) for _ in range(3))
    padded = maker.pad(chosen, "right")
    in_fp32(exact)
    _, right = gradients(exact, lambda: padded_loss(exact, padded))
    _, of_plain = gradients(plain, lambda: padded_loss(plain, padded), autocast=True)
    set_up(packed, family)
    batch = pack(maker, chosen, torch.bfloat16)
    _, found = gradients(packed, lambda: packed_sums(packed, family, batch).loss, autocast=True)
    rounding = distance(of_plain, right)
    assert 0 < distance(found, right) <= 1.1 * rounding
    assert distance(found, of_plain) < 0.6 * rounding


def test_what_a_gpus_autocast_widens_is_narrowed_in_bf16_alone() -> None:
    """A GPU's autocast has normalisations return fp32, a CPU's does not."""
    norms = nn.ModuleList([nn.LayerNorm(4, dtype=dtype) for dtype in (torch.bfloat16, torch.float16, torch.float32)])
    for norm in norms:
        norm.register_forward_hook(lambda module, inputs, output: output.float())
    narrow_norms(norms)
    found = [norm(torch.ones(1, 4, dtype=norm.weight.dtype)).dtype for norm in norms]
    assert found == [torch.bfloat16, torch.float32, torch.float32]


def test_every_normalisation_of_a_tower_is_narrowed(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    model = adapted(tiny[family], family)
    set_up(model, family)
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) > 4
    for norm in norms:
        norm.forward = lambda inputs: inputs.float()  # type: ignore[method-assign]
        assert norm(torch.ones(1, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("count", [1, AT_A_TIME, 2 * AT_A_TIME + 9])
def test_the_loss_is_that_of_all_logits_at_once(count: int) -> None:
    torch.manual_seed(1)
    head = nn.Linear(8, 50, bias=False)
    head.register_forward_hook(lambda module, inputs, logits: logits * 0.25)
    hidden = torch.randn(300, 8, requires_grad=True)
    places, targets = torch.randperm(300)[:count].sort().values, torch.randint(50, (count,))
    sums = loss_sums(head, hidden, places, targets)
    logits = head(hidden)[places]
    right = nn.functional.cross_entropy(logits, targets, reduction="sum")
    torch.testing.assert_close(sums.loss, right)
    torch.testing.assert_close(sums.entropy, torch.distributions.Categorical(logits=logits).entropy().sum())
    assert sums.correct == (logits.argmax(-1) == targets).sum()
    assert not sums.entropy.requires_grad
    inputs = (hidden, head.weight)
    for found, expected in zip(torch.autograd.grad(sums.loss, inputs), torch.autograd.grad(right, inputs), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_tile_that_needs_no_padding_and_a_picture_that_fills_all_tiles_leave_no_query_out() -> None:
    """`attend_segments` is given every query exactly once, and no segment is empty of keys."""
    for patches in (7, 8, 9):
        plan = tower_order((4, 1, 3), 4, patches)
        tokens = 3 * 4 * rounded(patches)
        assert torch.equal(plan.order[plan.back], torch.arange(tokens))
        covered = torch.cat([torch.arange(first, last) for first, last, _, _ in plan.segments.tolist()])
        assert torch.equal(covered, torch.arange(tokens))


def test_text_before_the_picture_sees_all_tiles_and_what_follows_the_pictures_own() -> None:
    batch = PackedRows(lengths=(5, 3), tiles=(2, 4), picture_starts=(2, 0), supervised=0, tensors={})
    assert crossing_segments(batch, most_tiles=4, patches=10).tolist() == [
        [0, 2, 0, 40],
        [2, 5, 0, 20],
        [5, 8, 40, 80],
    ]
