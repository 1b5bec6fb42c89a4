"""Llama 3.2 Vision 11B: a tiled vision tower that eight of forty text layers cross-attend to."""

from __future__ import annotations

from copy import deepcopy

from transformers import MllamaConfig, MllamaProcessor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from inft.data.collators import LlamaCollator
from inft.models.family import Family
from inft.models.packed_llama32 import hidden_states
from inft.models.released import RELEASED


def released_config() -> MllamaConfig:
    """The architecture of meta-llama/Llama-3.2-11B-Vision-Instruct."""
    described: MllamaConfig = MllamaConfig.from_dict(deepcopy(RELEASED["llama32"]))
    return described


TOWER = ("model.vision_model.transformer.layers", "model.vision_model.global_transformer.layers")

LLAMA32 = Family(
    name="llama32",
    collator=LlamaCollator,
    processor=MllamaProcessor,
    image_processor=MllamaImageProcessorPil,
    released_config=released_config,
    layers=("model.language_model.layers", *TOWER),
    packed_hidden_states=hidden_states,
    recomputed_here=TOWER,
)
