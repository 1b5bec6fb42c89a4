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

WINDOW = 60
"""Tokens that a layer of Aya looks back here; some of the rows are longer, others shorter."""


def assert_same_gradients(found: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert found.keys() == right.keys()
    assert len(right) > 40
    for name, gradient in right.items():
        apart = torch.linalg.vector_norm(found[name] - gradient)
        assert apart <= 1e-4 * torch.linalg.vector_norm(gradient), name


@pytest.mark.parametrize("recompute", ["false", "true"], ids=["kept", "recomputed"])
def test_hidden_states_loss_and_gradients_are_the_plain_paths(
    tiny: dict[FamilyName, Path], family: FamilyName, recompute: str
) -> None:
    maker, chosen = encoded(family)
    model = adapted(tiny[family], family, *FULL_PRECISION)
    if family == "aya":
        model.get_base_model().model.language_model.config.sliding_window = WINDOW
    batch = pack(maker, chosen)
    assert min(batch.lengths) < WINDOW < max(batch.lengths) or family == "llama32"
    assert set(batch.tiles) >= {1, 4} or family == "aya"
    padded = maker.pad(chosen, "right")
    with torch.no_grad():
        alone = [padded_hidden(model, maker.pad([row], "right"))[0] for row in chosen]
        together = padded_hidden(model, padded)
    loss, right = gradients(model, lambda: padded_loss(model, padded))

    set_up(model, family, *FULL_PRECISION, f"sft.gradient_checkpointing={recompute}")
    with torch.no_grad():
        hidden = packed_hidden(model, family, batch).split(batch.lengths)
    for own, single, row in zip(hidden, alone, together, strict=True):
        torch.testing.assert_close(own, single, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own, row[: len(own)], rtol=1e-4, atol=1e-4)
    same_loss, found = gradients(model, lambda: packed_sums(model, family, batch).loss)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(found, right)


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
    plain, packed, exact = (adapted(tiny[family], family) for _ in range(3))
    padded = maker.pad(chosen, "right")
    in_fp32(exact)
    _, right = gradients(exact, lambda: padded_loss(exact, padded))
    _, of_plain = gradients(plain, lambda: padded_loss(plain, padded), autocast=True)
    set_up(packed, family)
    batch = pack(maker, chosen, torch.bfloat16)
    _, found = gradients(packed, lambda: packed_sums(packed, family, batch).loss, autocast=True)
    assert 0 < distance(found, right) <= 1.1 * distance(of_plain, right) < 0.2


def test_towers_hand_on_bf16(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    """Their sums are fp32 in the plain path, since autocast has normalisations compute and return that."""
    maker, chosen = encoded(family)
    model = adapted(tiny[family], family)
    set_up(model, family)
    dtypes: list[torch.dtype] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm) or name.endswith((".mlp", ".self_attn")):
            module.register_forward_hook(
                lambda module, inputs, output: dtypes.append((output[0] if isinstance(output, tuple) else output).dtype)
            )
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        packed_hidden(model, family, pack(maker, chosen, torch.bfloat16))
    assert len(dtypes) > 12
    assert set(dtypes) == {torch.bfloat16}


def test_norms_are_narrowed_in_bf16_alone() -> None:
    model = nn.ModuleList([nn.LayerNorm(4, dtype=dtype) for dtype in (torch.bfloat16, torch.float16, torch.float32)])
    narrow_norms(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert [norm(torch.ones(1, 4)).dtype for norm in model] == [torch.bfloat16, torch.float32, torch.float32]


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
    for found, expected in zip(
        torch.autograd.grad(sums.loss, inputs), torch.autograd.grad(right, inputs), strict=True
    ):
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
