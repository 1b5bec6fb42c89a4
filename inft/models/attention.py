"""Which attention kernels a run uses, and why others are refused."""

from __future__ import annotations

from inft.errors import ConfigError
from inft.models.family import Family
from inft.models.kernels import why_not
from inft.params import AttentionName

TRANSFORMERS_NAMES: dict[AttentionName, str] = {
    "eager": "eager",
    "sdpa": "sdpa",
    "flex": "flex_attention",
    "flash": "flash_attention_2",
}


def choose_attention(name: AttentionName, family: Family, *, on_gpu: bool, recompute: bool) -> str:
    """The transformers name of the attention that the run uses.

    `auto` is `sdpa` on either family and any machine: exact, and PyTorch picks its fastest kernel for the masks it is
    given. (`eager` stores 1.23 GiB of scores per vision layer on Llama and runs out of memory on a 140 GB card.)

    Args:
        name: as configured.
        family: the architecture.
        on_gpu: whether there is a CUDA GPU.
        recompute: whether activations are recomputed in the backward pass (`sft.gradient_checkpointing`).

    Raises:
        ConfigError: the kernels named cannot run on this model or machine; the message gives the reason.
    """
    if name == "auto":
        return TRANSFORMERS_NAMES["sdpa"]
    reason = why_not(name, family.name, on_gpu=on_gpu, recompute=recompute)
    if reason:
        raise ConfigError(
            f"basic.attn_impl = {name!r} cannot be used with {family.title}: {reason}.",
            'Use "auto", or "sdpa".',
        )
    return TRANSFORMERS_NAMES[name]
