"""How captions are generated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig

from inft.models.aya import logit_scale
from inft.params import BasicParams

MOST_LIKELY = 50
"""Tokens that sampling chooses among, before the nucleus: transformers' own default, which the guide leaves alone."""


@dataclass(frozen=True)
class GenerationSettings:
    """How one caption after the other is chosen from what the model finds likely.

    Attributes:
        do_sample: draw each token; off = the likeliest, or beam search where there are beams.
        temperature: of the draws, on the scale of the guide's reference, see `for_model`.
        top_p: their nucleus.
        num_beams: beams of the search; 1 = none.
        max_new_tokens: longest caption.
        seed: of the draws; without them nothing depends on it.
    """

    do_sample: bool
    temperature: float
    top_p: float
    num_beams: int
    max_new_tokens: int
    seed: int

    @classmethod
    def greedy(cls, basic: BasicParams) -> GenerationSettings:
        """Nothing is drawn, whatever `gen_do_sample` says; beams and length are those configured."""
        return cls(
            do_sample=False,
            temperature=1.0,
            top_p=1.0,
            num_beams=basic.gen_num_beams,
            max_new_tokens=basic.gen_max_new_tokens,
            seed=0,
        )

    @classmethod
    def sampled(cls, basic: BasicParams, seed: int) -> GenerationSettings:
        """Drawn with the configured temperature and nucleus, whatever `gen_do_sample` says."""
        return cls(
            do_sample=True,
            temperature=basic.gen_temperature,
            top_p=basic.gen_top_p,
            num_beams=basic.gen_num_beams,
            max_new_tokens=basic.gen_max_new_tokens,
            seed=seed,
        )

    @classmethod
    def configured(cls, basic: BasicParams, seed: int) -> GenerationSettings:
        """One of the two, as `gen_do_sample` says."""
        return cls.sampled(basic, seed) if basic.gen_do_sample else cls.greedy(basic)

    def for_model(self, model: Any, pad_token_id: int) -> GenerationConfig:
        """What transformers is told.

        Everything that the checkpoint's own generation config could fill in otherwise, its sampling above all, is
        stated; its end tokens are taken over. Aya's logits are scaled here and are not in the guide's reference, whose
        temperature 0.7 would be 2.8 there; dividing by the factor draws from the distribution that it draws from.

        Args:
            model: has a `config` and a `generation_config`.
            pad_token_id: what the shorter captions of a batch are filled up with.
        """
        make: Any = GenerationConfig  # without annotations
        config: GenerationConfig = make(
            do_sample=self.do_sample,
            temperature=self.temperature * logit_scale(model.config),
            top_p=self.top_p,
            top_k=MOST_LIKELY,
            repetition_penalty=1.0,
            num_beams=self.num_beams,
            max_new_tokens=self.max_new_tokens,
            use_cache=True,  # the model's own setting is off, for training
            bos_token_id=model.generation_config.bos_token_id,
            eos_token_id=model.generation_config.eos_token_id,
            pad_token_id=pad_token_id,
        )
        return config

    def seed_of(self, rows: Sequence[int]) -> int:
        """What a batch of these rows is drawn with: the same for the same rows, whatever was drawn before."""
        return random.Random(f"{self.seed}: {list(rows)}").getrandbits(63)
