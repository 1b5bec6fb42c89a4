from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from inft.errors import ConfigError
from inft.models.attention import choose_attention
from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.params import AttentionName, FamilyName
from tests.models.bases import FULL_PRECISION, batch, load


@pytest.mark.parametrize("on_gpu", [True, False])
def test_auto_is_sdpa_on_any_machine(family: FamilyName, on_gpu: bool) -> None:
    assert choose_attention("auto", FAMILIES[family], on_gpu=on_gpu, recompute=False) == "sdpa"


@pytest.mark.parametrize(
    ("name", "on_gpu", "expected"),
    [
        ("eager", False, "eager"),
        ("eager", True, "eager"),
        ("sdpa", False, "sdpa"),
        ("sdpa", True, "sdpa"),
        ("flex", True, "flex_attention"),
    ],
)
def test_what_is_named_is_used(family: FamilyName, name: AttentionName, on_gpu: bool, expected: str) -> None:
    assert choose_attention(name, FAMILIES[family], on_gpu=on_gpu, recompute=False) == expected


@pytest.mark.parametrize("on_gpu", [True, False])
def test_flash_is_refused_on_llama_for_its_masks(on_gpu: bool) -> None:
    with pytest.raises(ConfigError, match=r"'flash' cannot be used with Llama 3\.2.*dense cross-attention masks") as e:
        choose_attention("flash", FAMILIES["llama32"], on_gpu=on_gpu, recompute=False)
    assert '"auto"' in e.value.fix


@pytest.mark.parametrize(("family", "name"), [("llama32", "flex"), ("aya", "flex"), ("aya", "flash")])
def test_kernels_for_a_gpu_are_refused_without_one(family: FamilyName, name: AttentionName) -> None:
    with pytest.raises(ConfigError, match=rf"{name!r} cannot be used with .*a CUDA GPU for training, and none"):
        choose_attention(name, FAMILIES[family], on_gpu=False, recompute=False)


@pytest.mark.skipif(find_spec("flash_attn") is not None, reason="flash-attn is installed here")
def test_flash_on_a_gpu_needs_its_package() -> None:
    with pytest.raises(ConfigError, match="the package flash-attn is not installed"):
        choose_attention("flash", FAMILIES["aya"], on_gpu=True, recompute=False)


def test_auto_gives_the_logits_of_eager(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.float32)
    models = {name: load(tiny[family], family, *FULL_PRECISION, attention=name) for name in ("eager", "sdpa")}
    assert {name: model.config._attn_implementation for name, model in models.items()} == {
        "eager": "eager",
        "sdpa": "sdpa",
    }
    with torch.no_grad():
        eager, sdpa = (models[name](**inputs).logits for name in ("eager", "sdpa"))
    torch.testing.assert_close(sdpa, eager, rtol=1e-4, atol=1e-4)


def test_flex_with_recomputation_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"sft\.gradient_checkpointing"):
        choose_attention("flex", FAMILIES["aya"], on_gpu=True, recompute=True)
    assert choose_attention("flex", FAMILIES["aya"], on_gpu=True, recompute=False) == "flex_attention"
