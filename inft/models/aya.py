"""Aya Vision 8B: SigLIP tiles, a pixel-shuffle projector and Cohere2."""

from __future__ import annotations

import torch
from torch import nn
from transformers import AyaVisionConfig, AyaVisionProcessor, PreTrainedModel
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from inft.data.collators import AyaCollator
from inft.models.family import Family


def released_config() -> AyaVisionConfig:
    """The architecture of CohereLabs/aya-vision-8b (source: its config.json; weights 8.63 B)."""
    return AyaVisionConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 364,
            "patch_size": 14,
            "vision_use_head": False,
        },
        text_config={
            "model_type": "cohere2",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": 256000,
            "sliding_window": 4096,
            "logit_scale": 0.25,
            "max_position_embeddings": 16384,
        },
        image_token_index=255036,
        downsample_factor=2,
        alignment_intermediate_size=28672,  # type: ignore[call-arg]  # read by the projector, not declared
    )


def scale_logits(model: PreTrainedModel) -> None:
    """Make the output head apply `text_config.logit_scale`, as `Cohere2ForCausalLM` does.

    `AyaVisionForConditionalGeneration.forward` has dropped the factor since transformers 4.52, so that its loss and
    its sampled captions belonged to a sharper distribution than the one it was pre-trained with. TRL's fused loss
    multiplies the hidden states by `lm_head.weight` itself and applies the factor there; it does not run this hook,
    so nothing is scaled twice.
    """
    scale = float(model.config.get_text_config().logit_scale)

    def scaled(module: nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        return logits * scale

    model.get_output_embeddings().register_forward_hook(scaled)


AYA = Family(
    name="aya",
    title="Aya Vision 8B",
    language_prefix="model.language_model",
    vision_prefix="model.vision_tower",
    projector_prefix="model.multi_modal_projector",
    collator=AyaCollator,
    processor=AyaVisionProcessor,
    image_processor=GotOcr2ImageProcessorPil,
    released_config=released_config,
    adjust=scale_logits,
)
