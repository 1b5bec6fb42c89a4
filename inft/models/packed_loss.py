"""The loss of the supervised tokens, and of no others, a few at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

AT_A_TIME = 128
"""Tokens whose logits are there at one time: Aya's are 256,000 each, 0.4 GiB with their gradients."""


@dataclass(frozen=True)
class LossSums:
    """Sums over supervised tokens, each a 0-d tensor on the model's device.

    Attributes:
        loss: negative log-likelihood in nats; has the gradient.
        entropy: of the predicted distributions, in nats.
        correct: tokens that were the likeliest ones.
    """

    loss: Tensor
    entropy: Tensor
    correct: Tensor


def loss_sums(head: nn.Module, hidden: Tensor, places: Tensor, targets: Tensor) -> LossSums:
    """The loss where it is supervised.

    Args:
        head: the output head; a hook of its own may scale its logits.
        hidden: (T, hidden) of all tokens.
        places: (S,) int64, whose hidden states tell.
        targets: (S,) int64, which tokens.
    """
    supervised = hidden[places]
    parts = [
        checkpoint(_sums, head, some, due, use_reentrant=False, preserve_rng_state=False)
        for some, due in zip(supervised.split(AT_A_TIME), targets.split(AT_A_TIME), strict=True)
    ]
    loss, entropy, correct = (torch.stack(sums).sum() for sums in zip(*parts, strict=True))
    return LossSums(loss, entropy, correct)


def _sums(head: nn.Module, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    logits = head(hidden).float()
    loss = cross_entropy(logits, targets, reduction="sum")
    with torch.no_grad():
        logarithms = logits.log_softmax(-1)
        entropy = -(logarithms.exp() * logarithms).sum()
        correct = (logits.argmax(-1) == targets).sum()
    return loss, entropy, correct
