"""Llama 3.2 Vision 11B: a tiled vision tower that eight of forty text layers cross-attend to."""

from __future__ import annotations

from transformers import MllamaConfig, MllamaProcessor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from inft.data.collators import LlamaCollator
from inft.models.family import Family


def released_config() -> MllamaConfig:
    """The architecture of meta-llama/Llama-3.2-11B-Vision-Instruct (source: its config.json; weights 10.67 B)."""
    return MllamaConfig(
        vision_config={
            "hidden_size": 1280,
            "image_size": 560,
            "intermediate_layers_indices": [3, 7, 15, 23, 30],
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
        },
        text_config={
            "vocab_size": 128256,
            "pad_token_id": 128004,
            "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38],
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        },
        image_token_index=128256,
    )


LLAMA32 = Family(
    name="llama32",
    title="Llama 3.2 Vision 11B",
    language_prefix="model.language_model",
    vision_prefix="model.vision_model",
    projector_prefix="model.multi_modal_projector",
    collator=LlamaCollator,
    processor=MllamaProcessor,
    image_processor=MllamaImageProcessorPil,
    released_config=released_config,
    refused_attention={
        "flash": "Llama 3.2 Vision builds dense cross-attention masks, which FlashAttention cannot take"
    },
)
