"""Attention piece by piece, against torch's own with a mask that says the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from inft.models.packed_attention import packed_attention
from inft.models.segments import BOTH_WAYS, attend_segments

SCALE = 0.3
KEYS = 13

Segments = list[tuple[int, int, int, int]]

PIECES: Segments = [(0, 3, 0, 12), (3, 7, 2, 9), (7, 11, 2, 8)]
"""Keys in several segments, in one and in none; queries and keys of different numbers."""

ROWS: Segments = [(0, 5, 0, 5), (5, 6, 5, 6), (6, 11, 6, 11)]


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of 4 heads, keys and values of 2."""
    generator = torch.Generator().manual_seed(3)
    shapes = ((11, 4, 8), (KEYS, 2, 8), (KEYS, 2, 8))
    query, key, value = (torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes)
    return query, key, value


def masked(query: Tensor, key: Tensor, value: Tensor, segments: Segments, back: int) -> Tensor:
    """The same by one mask of queries x keys."""
    seen = torch.zeros(len(query), len(key), dtype=torch.bool)
    for first, last, start, end in segments:
        for place in range(first, last):
            sees = range(start, end)
            if back != BOTH_WAYS:
                own = start + place - first
                sees = range(max(start, own - back + 1) if back else start, own + 1)
            seen[place, sees.start : sees.stop] = True
    heads_first = (tensor.transpose(0, 1)[None] for tensor in (query, key, value))
    found = scaled_dot_product_attention(*heads_first, attn_mask=seen, scale=SCALE, enable_gqa=True)
    return found[0].transpose(0, 1)


def outcome(output: Tensor, of: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """An output and what a gradient of it comes to."""
    generator = torch.Generator().manual_seed(4)
    gradient = torch.randn(output.shape, generator=generator).to(output.dtype)
    return output.detach(), *torch.autograd.grad(output, of, gradient)


@pytest.mark.parametrize(
    ("segments", "back"),
    [(PIECES, BOTH_WAYS), (ROWS, 0), (ROWS, 1), (ROWS, 3), (ROWS, 100)],
    ids=["both-ways", "causal", "itself-alone", "window", "window-wider-than-all"],
)
def test_outputs_and_gradients_are_those_of_a_mask(segments: Segments, back: int) -> None:
    given = inputs()
    own = attend_segments(*given, torch.tensor(segments), scale=SCALE, back=back)
    expected = outcome(masked(*given, segments, back), given)
    for found, right in zip(outcome(own, given), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-6)


def test_in_16_bit_only_the_ends_are_rounded() -> None:
    """Where a model's layers call it, autocast is on; it would have the sums in between rounded, too."""
    given = inputs(torch.bfloat16)
    exact = tuple(tensor.detach().double().requires_grad_() for tensor in given)
    with torch.autocast("cpu", torch.bfloat16):
        own = attend_segments(*given, torch.tensor(PIECES), scale=SCALE)
    expected = outcome(masked(*exact, PIECES, BOTH_WAYS), exact)
    for found, right in zip(outcome(own, given), expected, strict=True):
        assert found.dtype == torch.bfloat16
        # What one rounding of each number leaves is 0.0017; gradients also feel that of the output they start from.
        assert torch.linalg.vector_norm(found - right) < 0.004 * torch.linalg.vector_norm(right)


@pytest.mark.parametrize(("segments", "back"), [(PIECES, BOTH_WAYS), (ROWS, 3)], ids=["both-ways", "window"])
def test_the_operator_keeps_the_promises_that_compiling_relies_on(segments: Segments, back: int) -> None:
    torch.library.opcheck(
        torch.ops.inft.attend_segments.default, (*inputs(), torch.tensor(segments), SCALE, back, False)
    )


class TestTheNameThatLayersCall:
    """It tells rows, segments and ordinary masks apart by what it is handed."""

    def given(self) -> tuple[Tensor, ...]:
        query, key, value = inputs()
        return tuple(tensor.transpose(0, 1)[None] for tensor in (query, key[:11], value[:11]))

    @pytest.mark.parametrize("window", [0, 3])
    def test_rows_attend_causally_within_themselves(self, window: int) -> None:
        starts = torch.tensor([0, *(last for _, last, _, _ in ROWS)], dtype=torch.int32)
        found, weights = packed_attention(
            torch.nn.Module(), *self.given(), None, SCALE, row_starts=starts, longest=5, window=window
        )
        query, key, value = inputs()
        torch.testing.assert_close(found[0], masked(query, key[:11], value[:11], ROWS, window))
        assert weights is None

    def test_whole_numbers_are_segments(self) -> None:
        segments = [(0, 3, 0, 11), (3, 11, 2, 9)]
        found, _ = packed_attention(torch.nn.Module(), *self.given(), torch.tensor(segments), SCALE)
        query, key, value = inputs()
        torch.testing.assert_close(found[0], masked(query, key[:11], value[:11], segments, BOTH_WAYS))

    def test_anything_else_is_sdpa(self) -> None:
        query, key, value = self.given()
        mask = torch.ones(1, 1, 11, 11, dtype=torch.bool).tril()
        module = torch.nn.Module()
        module.num_key_value_groups = 2  # type: ignore[assignment]  # as transformers' layers have it
        found, _ = packed_attention(module, query, key, value, mask, SCALE)
        right = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=SCALE, enable_gqa=True)
        torch.testing.assert_close(found, right.transpose(1, 2))
