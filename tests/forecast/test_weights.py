"""Bytes by formula, beside the bytes of real tensors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from bitsandbytes.optim import AdamW as BitsAndBytesAdamW
from peft import PeftModel
from torch import nn

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.architecture import architecture_of, find_architecture
from inft.forecast.weights import (
    FOLDER_OVERHEAD,
    adapter_bytes,
    adapter_parameters,
    base_bytes,
    checkpoint_bytes,
    gradient_bytes,
    optimiser_bytes,
    results_bytes,
    trainable_parameters,
)
from inft.models.adapters import add_adapters
from inft.models.released import RELEASED
from inft.params import FamilyName
from inft.profiles import resolve
from tests.models.bases import demo, load

GIB = 2**30


def full_size(profile: str, *overrides: str) -> Config:
    return resolve(profile, overrides).config


def size(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of tensors, one that several names share counted once."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values())


def measured(model: nn.Module) -> tuple[int, int, int]:
    """Bytes of 4-bit weights, of their constants and of all other parameters."""
    quantized = constants = 0
    packed = set()
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            state = layer.weight.quant_state
            nested = [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
            quantized += layer.weight.nbytes
            constants += size([state.absmax, state.code, *nested])
            packed.add(id(layer.weight))
    return quantized, constants, size(parameter for parameter in model.parameters() if id(parameter) not in packed)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("qlora.bnb_4bit_use_double_quant=false",),
        ("qlora.skip_modules=multi_modal_projector,layers.1.mlp",),
        ("qlora.load_in_4bit=false",),
        ("qlora.load_in_4bit=false", "basic.dtype=float32"),
        ("qlora.hold_dequantized=true",),
    ],
)
def test_the_base_is_as_large_as_its_tensors(
    tiny: dict[FamilyName, Path], family: FamilyName, overrides: tuple[str, ...]
) -> None:
    config, _ = demo(family, *overrides)
    forecast = base_bytes(config, find_architecture(config, Path()))
    real = measured(load(tiny[family], family, *overrides))
    assert (forecast.quantized, forecast.constants, forecast.plain) == real
    assert forecast.total == sum(real)


@pytest.mark.parametrize(
    ("profile", "scope", "expected"),
    [
        ("aya_basic", "guide", 179_716_096),
        ("aya_basic", "language", 167_772_160),
        ("llama_basic", "guide", 235_929_600),
        ("llama_basic", "language", 209_715_200),
        ("aya_adv", "guide", 183_025_664),
        ("llama_adv", "guide", 236_683_264),
    ],
)
def test_the_released_models_train_as_many_parameters_as_the_guide_says(
    profile: str, scope: str, expected: int
) -> None:
    config = full_size(profile, f"lora.scope={scope}")
    architecture = architecture_of(config.family, RELEASED[config.family])
    assert trainable_parameters(config, architecture) == adapter_parameters(config, architecture) == expected
    assert gradient_bytes(config, architecture) == adapter_bytes(config, architecture) == 4 * expected
    assert optimiser_bytes(config, architecture).card == 8 * expected


def test_the_released_bases_in_4_bit_and_dequantised() -> None:
    sizes = {}
    for profile in ("aya_basic", "llama_basic"):
        for held in ("false", "true"):
            config = full_size(profile, f"qlora.hold_dequantized={held}")
            sizes[profile, held] = base_bytes(config, architecture_of(config.family, RELEASED[config.family])).total
    # Numbers in bf16: all 8.63 B and 10.67 B of them; in 4 bit: what is no linear layer, and 0.516 bytes of what is.
    assert sizes["aya_basic", "true"] == 2 * 8_631_842_032
    assert sizes["llama_basic", "true"] == 2 * 10_670_220_835
    assert sizes["aya_basic", "false"] / GIB == pytest.approx(5.60, abs=0.01)
    assert sizes["llama_basic", "false"] / GIB == pytest.approx(6.69, abs=0.01)


def train_once(model: PeftModel, config: Config) -> torch.optim.Optimizer:
    """The optimiser after a step on gradients of one, on the trained parameters."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    if config.sft.optim.endswith("8bit"):
        paged = config.sft.optim.startswith("paged")
        optimiser: torch.optim.Optimizer = BitsAndBytesAdamW(trained, lr=1e-3, optim_bits=8, is_paged=paged)
    else:
        optimiser = torch.optim.AdamW(trained, lr=1e-3, fused=config.sft.optim.endswith("fused"))
    optimiser.step()
    return optimiser


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize(
    "overrides",
    [
        ("sft.optim=adamw_torch_fused",),
        ("sft.optim=adamw_torch", "lora.adapter_dtype=bfloat16"),
        ("sft.optim=adamw_bnb_8bit",),
        ("sft.optim=paged_adamw_8bit",),
        ("sft.optim=adamw_torch", "lora.bias=all"),
        ("sft.optim=adamw_torch", "lora.bias=lora_only"),
    ],
)
def test_adapters_gradients_and_state_are_as_large_as_their_tensors(
    tiny: dict[FamilyName, Path], family: FamilyName, overrides: tuple[str, ...]
) -> None:
    # Tensors on both sides of the 4,096 numbers from which states are 8-bit.
    config, described = demo(family, "lora.r=16", *overrides)
    architecture = find_architecture(config, Path())
    model, _ = add_adapters(load(tiny[family], family), config, described)
    adapters = [parameter for name, parameter in model.named_parameters() if ".lora_" in name]
    assert adapter_bytes(config, architecture) == size(adapters)
    optimiser = train_once(model, config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert gradient_bytes(config, architecture) == size(
        parameter.grad for parameter in trained if parameter.grad is not None
    )
    states = [
        tensor
        for state in optimiser.state.values()
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor) and name != "step"
    ]
    forecast = optimiser_bytes(config, architecture)
    assert forecast.card + forecast.paged == size(states)  # a CPU has no pages to move


def test_a_paged_optimiser_keeps_only_small_states_and_constants_on_the_card() -> None:
    config = full_size("aya_basic", "sft.optim=paged_adamw_8bit")
    architecture = architecture_of("aya", RELEASED["aya"])
    paged = optimiser_bytes(config, architecture)
    resident = optimiser_bytes(full_size("aya_basic", "sft.optim=adamw_bnb_8bit"), architecture)
    assert paged.card + paged.paged == resident.card
    assert resident.paged == 0
    # r x 1152 = 73,728 numbers of the vision tower's adapters are too few to be moved.
    vision = 27 * 3 * 2 * 64 * 1152
    assert paged.paged == 2 * (179_716_096 - vision - 2 * 32 * 64 * 1024)


def test_folders_on_disk_hold_what_was_trained_and_the_optimiser() -> None:
    config = full_size("llama_basic")
    architecture = architecture_of("llama32", RELEASED["llama32"])
    assert results_bytes(config, architecture) == 4 * 235_929_600 + FOLDER_OVERHEAD
    assert checkpoint_bytes(config, architecture) == 12 * 235_929_600 + FOLDER_OVERHEAD


def test_targets_that_match_nothing_are_refused_as_the_trainer_does() -> None:
    config = full_size("aya_basic", "lora.target_modules=mm_projector")
    architecture = architecture_of("aya", RELEASED["aya"])
    with pytest.raises(ConfigError, match="None of the LoRA targets mm_projector"):
        adapter_bytes(config, architecture)
