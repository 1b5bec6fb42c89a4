"""The loss of a model on rows of the corpus, per language: the mean over supervised tokens, as evaluations have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodedRow
from inft.data.images import open_image
from inft.data.rows import UnusableRow
from inft.errors import DataError
from inft.models.packed_loss import loss_sums

AT_A_TIME = 4
"""Rows of a batch. Only supervised positions get logits, so that these need less memory than training did."""


@dataclass(frozen=True)
class Losses:
    """What a model's loss is.

    Attributes:
        languages: nats per supervised token of each language's rows.
        overall: the same over all rows together.
        tokens: how many tokens are supervised in each language.
    """

    languages: Mapping[str, float]
    overall: float
    tokens: Mapping[str, int]


def measure_losses(
    model: PeftModel | PreTrainedModel,
    collator: CaptionCollator,
    rows: Mapping[str, Sequence[int]],
    dtype: torch.dtype,
    on_progress: Callable[[int, int], None],
) -> Losses:
    """The loss of `model`, which is in evaluation mode afterwards.

    Args:
        model: a family's model, with or without adapters.
        collator: turns row numbers into batches.
        rows: their numbers by language.
        dtype: what it computes in.
        on_progress: told (rows done, rows in all).

    Rows that cannot be used are left out, as evaluations leave them out.

    Raises:
        DataError: none can be used.
    """
    model.eval()
    total = sum(map(len, rows.values()))
    sums: dict[str, float] = {}
    tokens: dict[str, int] = {}
    done = 0
    for language, numbers in rows.items():
        parts = [numbers[start : start + AT_A_TIME] for start in range(0, len(numbers), AT_A_TIME)]
        for part in parts:
            if usable := _usable(collator, part):
                loss, count = _batch_loss(model, collator.pad(usable, "right"), dtype)
                sums[language] = sums.get(language, 0.0) + loss
                tokens[language] = tokens.get(language, 0) + count
            done += len(part)
            on_progress(done, total)
    if not tokens:
        raise DataError(
            f"None of the {total} rows to compare on can be used.", "Mend the corpus, or leave it out: --no-check."
        )
    return Losses(
        {language: sums[language] / tokens[language] for language in sums},
        sum(sums.values()) / sum(tokens.values()),
        tokens,
    )


def _usable(collator: CaptionCollator, numbers: Sequence[int]) -> list[EncodedRow]:
    rows = []
    for number in numbers:
        with suppress(UnusableRow):
            row = collator.corpus[number]
            rows.append(collator.encoder.encode(row, open_image(row.image)))
    return rows


def _batch_loss(
    model: PeftModel | PreTrainedModel, batch: Mapping[str, torch.Tensor], dtype: torch.dtype
) -> tuple[float, int]:
    """The sum over the supervised tokens of a batch, in nats, and their number."""
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    device = base.device
    inputs = {name: tensor.to(device) for name, tensor in batch.items()}
    labels = inputs.pop("labels")[:, 1:]
    supervised = labels != IGNORE_INDEX
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        hidden = base.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
        places = supervised.flatten().nonzero().squeeze(1)
        sums = loss_sums(base.get_output_embeddings(), hidden.flatten(0, 1), places, labels[supervised])
    return sums.loss.item(), len(places)
