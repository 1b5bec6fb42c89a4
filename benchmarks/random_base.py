"""Quantised bases of the released architectures (or of tiny ones) with random weights: what benchmarks train on."""

from __future__ import annotations

import gc
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedModel
from transformers import initialization as initialisation
from transformers.quantizers.auto import AutoHfQuantizer

from inft.data.encoding import Processor
from inft.forecast.architecture import Architecture, architecture_of
from inft.models.dequantized import hold_dequantized
from inft.models.family import Family
from inft.models.quantization import OUTPUT_HEAD, quantization_config
from inft.models.registry import FAMILIES
from inft.models.released import RELEASED
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts, tiny_config
from inft.models.tiny_description import TILE_PIXELS, tiny_description
from inft.params import FamilyName, QLoRAParams

OPEN_GATE = 0.5
"""Llama's cross-attention gates start closed, and are open in the released model."""

SPREAD = 0.02
"""Of all other weights. Tiny checkpoints for the demo have more, with which every rounding is magnified many times."""


class RandomBase:
    """Makes a family's base as often as it is asked for, with the same weights every time.

    Args:
        name: of the family.
        tiny: a model for a CPU in place of the released architecture.
        device: where bases are made.
    """

    def __init__(self, name: FamilyName, *, tiny: bool, device: torch.device) -> None:
        pixels = (TILE_PIXELS if tiny else RELEASED_TILE_PIXELS)[name]
        description = tiny_description(name, pixels) if tiny else RELEASED[name]
        self.family: Family = FAMILIES[name]
        self.processor: Processor = build_processor(name, demo_texts(), pixels)
        self.architecture: Architecture = architecture_of(name, description)
        self.device = device
        self._tiny = tiny

    def build(self, qlora: QLoRAParams, attention: str = "sdpa") -> PreTrainedModel:
        """The base as a run loads it, quantised and held as `qlora` says."""
        with initialisation.no_init_weights(), torch.device(self.device):
            model: Any = AutoModelForImageTextToText.from_config(
                self._config(), dtype=torch.bfloat16, attn_implementation=attention
            )
        model.tie_weights()
        self._fill(model)
        if qlora.load_in_4bit:
            quantise(model, qlora)
        if qlora.hold_dequantized:
            hold_dequantized(model)
        self.family.adjust(model)
        model.config.use_cache = False
        free_memory()
        return model

    def _config(self) -> Any:
        if self._tiny:
            return tiny_config(self.family.name, self.processor)
        config = self.family.released_config()
        config.image_token_index = self.processor.image_token_id
        text, tokenizer = config.get_text_config(), self.processor.tokenizer
        text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        text.pad_token_id = tokenizer.pad_token_id
        return config

    def _fill(self, model: PreTrainedModel) -> None:
        generator = torch.Generator(self.device).manual_seed(0)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" in name and name.endswith("weight"):
                    parameter.fill_(1.0)
                elif "gate" in name.rpartition(".")[2]:
                    parameter.fill_(OPEN_GATE)
                else:
                    parameter.normal_(0, SPREAD, generator=generator)


def quantise(model: Any, qlora: QLoRAParams) -> None:
    """Makes every linear layer 4-bit but the head and what is left out, as loading a checkpoint does."""
    left_out = (OUTPUT_HEAD, *qlora.skip_modules)
    settings = quantization_config(qlora)
    assert settings is not None
    for path, module in list(model.named_modules()):
        if type(module) is not nn.Linear or any(f".{name}." in f".{path}." for name in left_out):
            continue
        layer = Linear4bit(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            compute_dtype=settings.bnb_4bit_compute_dtype,
            quant_type=settings.bnb_4bit_quant_type,
            compress_statistics=settings.bnb_4bit_use_double_quant,
            device="meta",
        )
        layer.support_avx512bf16_for_cpu = False  # as `inft.models.quantization` keeps the layout
        layer.weight = Params4bit(
            module.weight.data,
            requires_grad=False,
            quant_type=settings.bnb_4bit_quant_type,
            compress_statistics=settings.bnb_4bit_use_double_quant,
        )
        if module.bias is not None:
            layer.bias = nn.Parameter(module.bias.data, requires_grad=False)
        model.set_submodule(path, layer.to(module.weight.device))
    model.is_loaded_in_4bit = model.is_quantized = True
    model.quantization_method = settings.quant_method
    model.hf_quantizer = AutoHfQuantizer.from_config(settings, pre_quantized=False)
    model.config.quantization_config = settings


def free_memory() -> None:
    """Gives back what nobody refers to any more, so that the next peak is the next model's own."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
