"""What the forward pass keeps, on real 4-bit models with tiny weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from inft.models.adapters import add_adapters
from inft.models.checkpoint import load_processor
from inft.models.recompute import keep_little
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from tests.models.bases import batch, demo, load

VISION_INPUTS: dict[FamilyName, tuple[str, ...]] = {
    "aya": ("pixel_values",),
    "llama32": ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask"),
}


def inputs_of(folder: Path, family: FamilyName) -> dict[str, torch.Tensor]:
    return batch(load_processor(folder, FAMILIES[family]), torch.float32)


def prepared(folder: Path, family: FamilyName, scope: str, *, recompute: bool) -> PeftModel:
    overrides = (f"lora.scope={scope}", "lora.dropout=0.1")
    config, described = demo(family, *overrides)
    torch.manual_seed(5)
    model, _ = add_adapters(load(folder, family, *overrides), config, described)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.02)
    model.train()
    keep_little(model, described, recompute=recompute)
    if recompute:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()  # as TRL asks for
    return model


def step(model: PeftModel, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(11)
    labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == model.config.image_token_index, -100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**inputs, labels=labels).loss
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@contextmanager
def kept_bytes() -> Iterator[list[int]]:
    """Adds up what autograd keeps, each storage once."""
    storages: dict[int, int] = {}
    total: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total
    total.append(sum(storages.values()))


@pytest.mark.parametrize("scope", ["guide", "language"])
def test_recomputation_changes_neither_loss_nor_gradients(
    tiny: dict[FamilyName, Path], family: FamilyName, scope: str
) -> None:
    inputs = inputs_of(tiny[family], family)
    loss, gradients = step(prepared(tiny[family], family, scope, recompute=False), inputs)
    same_loss, same_gradients = step(prepared(tiny[family], family, scope, recompute=True), inputs)
    assert torch.equal(loss, same_loss)
    assert gradients.keys() == same_gradients.keys()
    for name, gradient in gradients.items():
        assert torch.equal(gradient, same_gradients[name]), name


def test_a_tower_that_is_not_trained_keeps_nothing(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    """TRL and PEFT make its embeddings require gradients, which cost 10 GiB a row on Llama."""
    for recompute in (False, True):
        model = prepared(tiny[family], family, "language", recompute=recompute)
        seen: list[bool] = []
        tower = next(m for n, m in model.named_modules() if n.endswith(("vision_tower", "vision_model")))
        tower.register_forward_hook(lambda m, a, out, seen=seen: seen.append(out.last_hidden_state.requires_grad))
        step(model, inputs_of(tiny[family], family))
        assert seen == [False]


def test_the_whole_of_a_trained_tower_is_recomputed(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    """transformers itself leaves Llama's vision layers out, whatever checkpointing is asked for."""
    inputs = inputs_of(tiny[family], family)
    kept = {}
    for recompute in (False, True):
        model = prepared(tiny[family], family, "guide", recompute=recompute)
        tower = next(m for n, m in model.named_modules() if n.endswith(("vision_tower", "vision_model")))
        pixels = {name: value for name, value in inputs.items() if name in VISION_INPUTS[family]}
        with torch.autocast("cpu", dtype=torch.bfloat16), kept_bytes() as total:
            tower(**pixels)
        kept[recompute] = total[0]
    assert kept[True] < kept[False] / 3


def test_evaluation_recomputes_nothing(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    model = prepared(tiny[family], family, "guide", recompute=True).eval()
    inputs = inputs_of(tiny[family], family)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(model(**inputs).logits).all()
