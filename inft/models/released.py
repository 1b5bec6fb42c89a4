"""The architectures of the two released checkpoints, as their config.json describe them; no library is needed for it.

Every value that a parameter count or a forecast depends on is written out, also where it is a default.
"""

from __future__ import annotations

from typing import Any

from inft.params import FamilyName

PATCH_ROUNDING = 8
"""Llama pads the tokens of a tile to a multiple of this (transformers `MllamaVisionModel.forward`)."""

RELEASED: dict[FamilyName, dict[str, Any]] = {
    # CohereLabs/aya-vision-8b, weights 8.63 B
    "aya": {
        "model_type": "aya_vision",
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 364,
            "patch_size": 14,
            "vision_use_head": False,
        },
        "text_config": {
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
        "image_token_index": 255036,
        "downsample_factor": 2,
        "alignment_intermediate_size": 28672,
        "tie_word_embeddings": True,
    },
    # meta-llama/Llama-3.2-11B-Vision-Instruct, weights 10.67 B
    "llama32": {
        "model_type": "mllama",
        "vision_config": {
            "model_type": "mllama_vision_model",
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_global_layers": 8,
            "attention_heads": 16,
            "vision_output_dim": 7680,
            "image_size": 560,
            "patch_size": 14,
            "max_num_tiles": 4,
            "intermediate_layers_indices": [3, 7, 15, 23, 30],
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
        },
        "text_config": {
            "model_type": "mllama_text_model",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
            "pad_token_id": 128004,
            "max_position_embeddings": 131072,
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
        "image_token_index": 128256,
    },
}
