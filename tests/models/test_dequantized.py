from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from inft.models.adapters import add_adapters, list_linear_modules
from inft.models.checkpoint import load_processor
from inft.models.dequantized import HeldLinear, hold_dequantized
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from tests.models.bases import batch, demo, load

HELD = "qlora.hold_dequantized=true"


def adapted(folder: Path, family: FamilyName, *overrides: str) -> PeftModel:
    """The model with adapters that are the same whatever it is held in, and already do something."""
    config, described = demo(family, *overrides)
    torch.manual_seed(5)
    model, _ = add_adapters(load(folder, family, *overrides), config, described)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.02)
    return model.train()


def trained(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def step(model: PeftModel, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss and gradients of a batch as the Trainer computes them, with the same dropout each time."""
    torch.manual_seed(11)
    labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == model.config.image_token_index, -100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**inputs, labels=labels).loss
    loss.backward()
    gradients = [parameter.grad for parameter in trained(model).values() if parameter.grad is not None]
    assert len(gradients) == len(trained(model))
    return loss.detach(), gradients


def test_every_4_bit_layer_becomes_the_values_that_it_stands_for(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    packed, held = load(tiny[family], family), load(tiny[family], family, HELD)
    layers = {name: layer for name, layer in packed.named_modules() if isinstance(layer, Linear4bit)}
    kept = {name: layer for name, layer in held.named_modules() if isinstance(layer, HeldLinear)}
    assert set(kept) == set(layers)
    assert not any(isinstance(layer, Linear4bit) for layer in held.modules())
    assert list_linear_modules(held) == list_linear_modules(packed)
    for name, layer in layers.items():
        due = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
        torch.testing.assert_close(kept[name].weight.data, due, rtol=0, atol=0)
        assert (kept[name].bias is None) == (layer.bias is None)
    assert {parameter.dtype for parameter in held.parameters()} == {torch.bfloat16}


def test_the_4_bit_copies_are_freed(tiny: dict[FamilyName, Path]) -> None:
    model = load(tiny["aya"], "aya")
    packed = [weakref.ref(layer.weight) for layer in model.modules() if isinstance(layer, Linear4bit)]
    hold_dequantized(model)
    gc.collect()
    assert packed
    assert [weight() for weight in packed] == [None] * len(packed)


@pytest.fixture(params=["cpu", "cuda"])
def casts(request: pytest.FixtureRequest) -> Iterator[str]:
    """Casts as on a CPU, and as on a GPU, where PEFT's 4-bit layers see that autocast is on."""
    torch.set_autocast_enabled("cuda", request.param == "cuda")
    yield request.param
    torch.set_autocast_enabled("cuda", False)


def as_on(device: str, model: PeftModel) -> PeftModel:
    """The model with the adapters' casts of a device that this machine need not have."""
    for layer in model.modules():
        if isinstance(layer, LoraLayer) and isinstance(layer.get_base_layer(), HeldLinear):
            assert layer.cast_input_dtype_enabled
            layer.cast_input_dtype_enabled = device == "cpu"
    return model


@pytest.mark.parametrize("overrides", [("lora.dropout=0.1",), ("lora.adapter_dtype=bfloat16",)])
def test_losses_and_gradients_are_those_of_the_4_bit_base(
    tiny: dict[FamilyName, Path], family: FamilyName, casts: str, overrides: tuple[str, ...]
) -> None:
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.bfloat16)
    expected = step(adapted(tiny[family], family, *overrides), inputs)
    # bitsandbytes multiplies by the dequantised values on a CPU too, so that not even the last bit differs. On a GPU
    # its fused kernels may sum in another order.
    held = as_on(casts, adapted(tiny[family], family, HELD, *overrides))
    torch.testing.assert_close(step(held, inputs), expected, rtol=0, atol=0)
    assert all(gradient.abs().max() > 0 for gradient in expected[1])


def test_dtypes_between_the_layers_are_those_of_the_4_bit_base(
    tiny: dict[FamilyName, Path], family: FamilyName, casts: str
) -> None:
    """What is held for the backward pass is then the same too."""
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.bfloat16)
    seen: list[list[tuple[torch.dtype, torch.Size]]] = []
    for overrides in ((), (HELD,)):
        held: list[tuple[torch.dtype, torch.Size]] = []
        model = as_on(casts, adapted(tiny[family], family, "lora.dropout=0.1", *overrides))
        for layer in model.modules():
            if isinstance(layer, Linear4bit | HeldLinear | torch.nn.Dropout):
                layer.register_forward_hook(lambda _, __, out, held=held: held.append((out.dtype, out.shape)))
        step(model, inputs)
        seen.append(held)
    assert seen[0] == seen[1]


def test_adapters_trained_on_the_held_base_belong_to_a_4_bit_one(
    tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path
) -> None:
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.bfloat16)
    model = adapted(tiny[family], family, HELD).eval()
    model.save_pretrained(tmp_path / "held")
    adapted(tiny[family], family).save_pretrained(tmp_path / "packed")
    settings = [json.loads((tmp_path / name / "adapter_config.json").read_text()) for name in ("held", "packed")]
    for described in settings:
        described["target_modules"].sort()
    assert settings[0] == settings[1]
    again = PeftModel.from_pretrained(load(tiny[family], family), tmp_path / "held").eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits, rtol=0, atol=0)


def test_skipped_modules_are_left_alone(tiny: dict[FamilyName, Path]) -> None:
    model = load(tiny["aya"], "aya", HELD, "qlora.skip_modules=vision_tower")
    groups = {FAMILIES["aya"].group(name) for name, layer in model.named_modules() if isinstance(layer, HeldLinear)}
    assert groups == {"language", "projector"}
