"""Aya's `logit_scale`, which transformers' Aya class leaves out, against the text model that it was trained as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText, Cohere2ForCausalLM, PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from tests.models.bases import FULL_PRECISION, load

PROMPT_TOKENS = 40


@pytest.fixture
def corrected(tiny: dict[FamilyName, Path]) -> PreTrainedModel:
    """The base as a run loads it, in fp32."""
    return load(tiny["aya"], "aya", *FULL_PRECISION).eval()


@pytest.fixture
def uncorrected(tiny: dict[FamilyName, Path]) -> PreTrainedModel:
    """The same as transformers loads it."""
    model: PreTrainedModel = AutoModelForImageTextToText.from_pretrained(tiny["aya"], dtype=torch.float32)
    return model.eval()


@pytest.fixture
def reference(corrected: PreTrainedModel) -> Cohere2ForCausalLM:
    """The text model alone, with the same weights."""
    text = Cohere2ForCausalLM(corrected.config.get_text_config()).to(torch.float32)
    text.model.load_state_dict(corrected.model.language_model.state_dict())
    text.tie_weights()
    return text.eval()


@pytest.fixture
def ids(tiny: dict[FamilyName, Path]) -> torch.Tensor:
    """Two rows of text, (2, PROMPT_TOKENS)."""
    tokenizer = load_processor(tiny["aya"], FAMILIES["aya"]).tokenizer
    texts = ["The astronaut Eileen Collins at Johnson Space Center. " * 9, "Un chat regarde l'appareil photo. " * 9]
    return torch.tensor([tokenizer(text)["input_ids"][:PROMPT_TOKENS] for text in texts])


def labels_of(ids: torch.Tensor) -> torch.Tensor:
    """Supervises the last ten tokens of the first row and the last three of the second."""
    labels = torch.full_like(ids, -100)
    labels[0, -10:], labels[1, -3:] = ids[0, -10:], ids[1, -3:]
    return labels


@torch.no_grad()
def test_logits_are_the_text_models(
    corrected: PreTrainedModel, uncorrected: PreTrainedModel, reference: Cohere2ForCausalLM, ids: torch.Tensor
) -> None:
    expected = reference(ids).logits
    torch.testing.assert_close(corrected(ids).logits, expected)
    # What this holds up: without the correction the logits are those divided by the scale.
    raw = uncorrected(ids).logits
    assert not torch.allclose(raw, expected, rtol=0.1)
    torch.testing.assert_close(raw * corrected.config.get_text_config().logit_scale, expected)


@torch.no_grad()
def test_the_loss_is_the_text_models_and_trls(
    corrected: PreTrainedModel, uncorrected: PreTrainedModel, reference: Cohere2ForCausalLM, ids: torch.Tensor
) -> None:
    labels = labels_of(ids)
    expected = reference(ids, labels=labels).loss.item()
    assert corrected(input_ids=ids, labels=labels).loss.item() == pytest.approx(expected, rel=1e-5)
    assert uncorrected(input_ids=ids, labels=labels).loss.item() != pytest.approx(expected, rel=0.05)
    add_fused_lm_head(corrected)
    assert corrected(input_ids=ids, labels=labels, fused_lm_head=True).loss.item() == pytest.approx(expected, rel=1e-5)
    # Patched by TRL, its plain forward is still the corrected one.
    assert corrected(input_ids=ids, labels=labels).loss.item() == pytest.approx(expected, rel=1e-5)


def test_trls_loss_has_the_gradients_of_the_plain_one(corrected: PreTrainedModel, ids: torch.Tensor) -> None:
    labels, gradients = labels_of(ids), []
    add_fused_lm_head(corrected)
    weight = corrected.get_parameter("model.language_model.layers.1.self_attn.q_proj.weight")
    for fused in (False, True):
        corrected.zero_grad()
        corrected(input_ids=ids, labels=labels, fused_lm_head=fused).loss.backward()
        assert weight.grad is not None
        gradients.append(weight.grad.clone())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-7)


def generate(model: PreTrainedModel, ids: torch.Tensor, **choices: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """New tokens (B, 12), and the probabilities that each was drawn from (12, B, V)."""
    torch.manual_seed(7)
    # No end token: both must go on to the last step.
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        min_new_tokens=12,
        use_cache=True,
        output_scores=True,
        return_dict_in_generate=True,
        **choices,
    )
    return out.sequences[:, ids.shape[1] :], torch.stack(out.scores).softmax(-1)


@torch.no_grad()
def test_generation_draws_from_the_text_models_distribution(
    corrected: PreTrainedModel, uncorrected: PreTrainedModel, reference: Cohere2ForCausalLM, ids: torch.Tensor
) -> None:
    reference.generation_config = corrected.generation_config
    sampling = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
    expected_tokens, expected = generate(reference, ids, **sampling)
    tokens, probabilities = generate(corrected, ids, **sampling)
    assert torch.equal(tokens, expected_tokens)
    torch.testing.assert_close(probabilities, expected, rtol=1e-3, atol=1e-5)
    _, raw = generate(uncorrected, ids, **sampling)
    # The first step's contexts are the same, its distributions are not.
    assert (raw[0] - expected[0]).abs().max() > 0.05


@torch.no_grad()
def test_greedy_captions_are_the_text_models(
    corrected: PreTrainedModel, reference: Cohere2ForCausalLM, ids: torch.Tensor
) -> None:
    reference.generation_config = corrected.generation_config
    expected_tokens, expected = generate(reference, ids, do_sample=False)
    tokens, probabilities = generate(corrected, ids, do_sample=False)
    assert torch.equal(tokens, expected_tokens)
    torch.testing.assert_close(probabilities, expected, rtol=1e-3, atol=1e-5)
