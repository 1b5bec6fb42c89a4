"""Aya Vision 8B: SigLIP tiles, a pixel-shuffle projector and Cohere2."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from transformers import AyaVisionConfig, AyaVisionProcessor, PreTrainedConfig, PreTrainedModel
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from inft.data.collators import AyaCollator
from inft.models.family import Family
from inft.models.packed_aya import hidden_states
from inft.models.released import RELEASED


def released_config() -> AyaVisionConfig:
    """The architecture of CohereLabs/aya-vision-8b."""
    described: AyaVisionConfig = AyaVisionConfig.from_dict(deepcopy(RELEASED["aya"]))
    return described


def logit_scale(config: PreTrainedConfig) -> float:
    """The factor that `scale_logits` applies to a model's logits; 1 of other families."""
    return float(config.get_text_config().logit_scale) if isinstance(config, AyaVisionConfig) else 1.0


def scale_logits(model: PreTrainedModel) -> None:
    """Make the output head apply `text_config.logit_scale`, as `Cohere2ForCausalLM` does.

    `AyaVisionForConditionalGeneration.forward` has dropped the factor since transformers 4.52, so that its loss and
    its sampled captions belonged to a sharper distribution than the one it was pre-trained with. TRL's fused loss
    multiplies the hidden states by `lm_head.weight` itself and applies the factor there; it does not run this hook,
    so nothing is scaled twice.
    """
    scale = logit_scale(model.config)

    def scaled(module: nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        return logits * scale

    model.get_output_embeddings().register_forward_hook(scaled)


AYA = Family(
    name="aya",
    collator=AyaCollator,
    processor=AyaVisionProcessor,
    image_processor=GotOcr2ImageProcessorPil,
    released_config=released_config,
    layers=("model.language_model.layers", "model.vision_tower.encoder.layers"),
    packed_hidden_states=hidden_states,
    adjust=scale_logits,
)
