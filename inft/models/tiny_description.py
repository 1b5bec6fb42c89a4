"""The architecture of the tiny checkpoints, as their config.json describes it; no library is needed for it."""

from __future__ import annotations

from typing import Any

from inft.params import FamilyName

VOCABULARY = 1024
"""Pieces of text. A caption of the demo corpus takes about 70; so few are learnt within minutes on a CPU."""

HEAD_ROWS: dict[FamilyName, int] = {"llama32": VOCABULARY + 8, "aya": VOCABULARY + 1}
"""Rows of the output head: the pieces; Llama's control tokens, where Aya's are among the pieces; Aya's `<image>`."""

IMAGE_TOKEN: dict[FamilyName, int] = {"llama32": HEAD_ROWS["llama32"], "aya": 16}
"""Id of the picture's token. On Llama, as released, it is the first that the head has no row for."""

TILE_PIXELS: dict[FamilyName, int] = {"llama32": 56, "aya": 56}
PATCH_PIXELS = 14

# The released models' 0.02 is made for thousands of dimensions. With 256 of them, logits that small could never leave
# the uniform distribution; Aya's head, tied to the embedding and scaled by 1/4, needs more than Llama's. Found by
# trial: twice as much on Llama starts so sharp that the demo's 200 steps do not get it down.
INITIALIZER_RANGE: dict[FamilyName, float] = {"llama32": 0.1, "aya": 0.4}


def tiny_description(family: FamilyName, tile_pixels: int) -> dict[str, Any]:
    """A model of 4 text layers with 256 dimensions.

    Args:
        family: which architecture.
        tile_pixels: side of a tile.
    """
    text = {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "initializer_range": INITIALIZER_RANGE[family],
    }
    vision = {"hidden_size": 64, "intermediate_size": 128, "image_size": tile_pixels, "patch_size": PATCH_PIXELS}
    if family == "llama32":
        return {
            "model_type": "mllama",
            "vision_config": vision
            | {
                "model_type": "mllama_vision_model",
                "num_hidden_layers": 3,
                "num_global_layers": 1,
                "attention_heads": 4,
                "max_num_tiles": 4,
                "intermediate_layers_indices": [1],
                "vision_output_dim": 128,
                "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
            },
            "text_config": text
            | {
                "model_type": "mllama_text_model",
                "vocab_size": HEAD_ROWS[family],
                "cross_attention_layers": [1, 3],
                "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
            },
            "image_token_index": IMAGE_TOKEN[family],
        }
    return {
        "model_type": "aya_vision",
        "vision_config": vision
        | {
            "model_type": "siglip_vision_model",
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vision_use_head": False,
        },
        "text_config": text
        | {
            "model_type": "cohere2",
            "vocab_size": HEAD_ROWS[family],
            "head_dim": 64,
            "sliding_window": 4096,
            "logit_scale": 0.25,
        },
        "image_token_index": IMAGE_TOKEN[family],
        "downsample_factor": 2,
        "alignment_intermediate_size": 256,
        "tie_word_embeddings": True,
    }
