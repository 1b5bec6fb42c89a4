from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from inft.errors import ConfigError
from inft.models.adapters import (
    TrainableTable,
    add_adapters,
    list_linear_modules,
    skeleton,
    trainable_table,
)
from inft.models.checkpoint import load_processor
from inft.models.quantization import DTYPES
from inft.models.registry import FAMILIES
from inft.models.targets import LAYOUTS, Targets, find_targets
from inft.params import FamilyName
from inft.profiles import resolve
from tests.models.bases import batch, demo, load

R = 64
BLOCK = 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336)
"""Inputs + outputs of one text block of either model: q and o, k and v (8 of 32 heads), gate, up and down."""
LLAMA_VISION = (32 + 8) * 4 * (1280 + 1280)
"""q, k, v and o of the local and the global layers."""
AYA_VISION = 27 * 3 * (1152 + 1152)
"""SigLIP calls its fourth projection out_proj, which no target is."""
LLAMA_PROJECTOR = 6 * 1280 + 4096
AYA_PROJECTOR = (4 * 1152 + 28672) + (28672 // 2 + 4096)


@cache
def full_size(profile: str, scope: str) -> tuple[PeftModel, Targets, TrainableTable]:
    """The released model without its weights, with a profile's adapters."""
    config = resolve(profile, [f"lora.scope={scope}"]).config
    family = FAMILIES[config.family]
    model, targets = add_adapters(skeleton(family.released_config()), config, family)
    return model, targets, trainable_table(model, targets, family)


@pytest.mark.parametrize(
    ("profile", "scope", "expected"),
    [
        ("llama_basic", "guide", 235_929_600),
        ("llama_basic", "language", 209_715_200),
        ("aya_basic", "guide", 179_716_096),
        ("aya_basic", "language", 167_772_160),
        ("llama_adv", "guide", R * (40 * BLOCK + LLAMA_VISION + LLAMA_PROJECTOR)),
        ("llama_adv", "language", R * (40 * BLOCK + LLAMA_PROJECTOR)),
        ("aya_adv", "guide", R * (32 * BLOCK + AYA_VISION + AYA_PROJECTOR)),
        ("aya_adv", "language", R * (32 * BLOCK + AYA_PROJECTOR)),
    ],
)
def test_the_released_models_train_as_many_parameters_as_configured(profile: str, scope: str, expected: int) -> None:
    model, targets, table = full_size(profile, scope)
    assert table.trainable == expected
    assert sum(row.modules for row in table.rows) == len(targets.modules)
    assert f"{expected:,}" in table.text()
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("profile", "language", "vision", "projector"),
    [
        ("llama_adv", R * 40 * BLOCK, R * LLAMA_VISION, R * LLAMA_PROJECTOR),
        ("aya_adv", R * 32 * BLOCK, R * AYA_VISION, R * AYA_PROJECTOR),
    ],
)
def test_the_table_tells_the_parts_of_the_model_apart(profile: str, language: int, vision: int, projector: int) -> None:
    _, _, table = full_size(profile, "guide")
    counts = {row.group: row.trainable for row in table.rows}
    assert counts == {"language": language, "vision": vision, "projector": projector}


def test_language_scope_leaves_the_vision_tower_alone(family: FamilyName) -> None:
    described = FAMILIES[family]
    profile = {"llama32": "llama_adv", "aya": "aya_adv"}[family]
    model, targets, table = full_size(profile, "language")
    assert {described.group(path) for path in targets.modules} == {"language", "projector"}
    assert "vision" not in {row.group for row in table.rows}
    trained = {described.group(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert "vision" not in trained
    assert all(
        described.group(name) != "vision" for name, layer in model.named_modules() if isinstance(layer, LoraLayer)
    )


def test_target_names_that_match_nothing_are_named_in_the_table() -> None:
    _, targets, table = full_size("llama_adv", "guide")
    assert targets.unmatched == table.unmatched == ("mm_projector", "vision_proj")
    assert table.text().endswith("target names that are not in this model: mm_projector, vision_proj")
    _, _, aya = full_size("aya_adv", "guide")
    assert aya.unmatched == ()
    assert "not in this model" not in aya.text()


def test_targets_that_all_match_nothing_are_an_error(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    config, described = demo(family, "lora.target_modules=mm_projector,proj,lm_head")
    with pytest.raises(
        ConfigError, match="None of the LoRA targets mm_projector, proj, lm_head is a linear layer"
    ) as e:
        add_adapters(load(tiny[family], family), config, described)
    assert "inft-tui modules" in e.value.fix


def test_targets_of_the_vision_tower_alone_are_an_error_in_language_scope() -> None:
    linears = ["model.vision_tower.encoder.layers.0.mlp.fc1", "model.language_model.layers.0.mlp.up_proj"]
    assert find_targets(linears, ["fc1"], "guide", LAYOUTS["aya"]).modules == (linears[0],)
    with pytest.raises(ConfigError, match=r"fc1.*scope 'language'"):
        find_targets(linears, ["fc1"], "language", LAYOUTS["aya"])


def test_a_target_is_a_whole_name_at_the_end_of_a_path() -> None:
    linears = [f"model.language_model.layers.{n}.{end}" for n in (1, 11) for end in ("out_proj", "self_attn.o_proj")]
    found = find_targets(linears, ["o_proj", "1.out_proj", "proj", linears[2]], "guide", LAYOUTS["aya"])
    assert found.by_name == {"o_proj": 2, "1.out_proj": 1, "proj": 0, linears[2]: 1}
    assert found.modules == (linears[0], linears[1], linears[2], linears[3])


def test_every_linear_layer_belongs_to_a_part_but_the_head_which_takes_none(family: FamilyName) -> None:
    described = FAMILIES[family]
    model = skeleton(described.released_config())
    linears = list_linear_modules(model)
    assert {described.group(path) for path in linears} == {"language", "vision", "projector"}
    plain = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert plain - set(linears) == {"lm_head"}


def trained(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_only_adapters_train_in_the_dtype_of_the_knob(
    tiny: dict[FamilyName, Path], family: FamilyName, dtype: str
) -> None:
    overrides = () if dtype == "float32" else (f"lora.adapter_dtype={dtype}",)
    config, described = demo(family, *overrides)
    model, targets = add_adapters(load(tiny[family], family), config, described)
    assert all(".lora_A." in name or ".lora_B." in name for name in trained(model))
    assert len(trained(model)) == 2 * len(targets.modules)
    assert {str(parameter.dtype) for parameter in trained(model).values()} == {f"torch.{dtype}"}
    inputs = batch(load_processor(tiny[family], described), torch.bfloat16)
    model(**inputs).logits.float().sum().backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == set(trained(model))


def test_adapters_sit_on_4_bit_layers_with_rank_scale_and_dropout_of_the_knobs(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    config, described = demo(family, "lora.r=8", "lora.alpha=20", "lora.dropout=0.25")
    model, targets = add_adapters(load(tiny[family], family), config, described)
    adapted = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    assert {name.removeprefix("base_model.model.") for name in adapted} == set(targets.modules)
    for layer in adapted.values():
        assert isinstance(layer.get_base_layer(), Linear4bit)
        assert layer.r["default"] == 8
        assert layer.scaling["default"] == 20 / 8
        assert layer.lora_dropout["default"].p == 0.25
    assert trainable_table(model, targets, described).trainable == sum(
        8 * (layer.in_features + layer.out_features) for layer in adapted.values()
    )


def test_no_dropout_is_none(tiny: dict[FamilyName, Path]) -> None:
    config, described = demo("aya", "lora.dropout=0")
    model, _ = add_adapters(load(tiny["aya"], "aya"), config, described)
    layer = next(layer for layer in model.modules() if isinstance(layer, LoraLayer))
    assert isinstance(layer.lora_dropout["default"], torch.nn.Identity)


def test_fp16_trains_fp32_adapters(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    config, described = demo(family, "qlora.bnb_4bit_compute_dtype=float16")
    base = load(tiny[family], family, "qlora.bnb_4bit_compute_dtype=float16")
    assert base.dtype == torch.float16
    model, _ = add_adapters(base, config, described)
    assert {parameter.dtype for parameter in trained(model).values()} == {torch.float32}


def test_the_bias_knob_trains_biases_of_all_or_of_adapted_layers(tiny: dict[FamilyName, Path]) -> None:
    biases = {}
    for choice in ("none", "lora_only", "all"):
        config, described = demo("aya", f"lora.bias={choice}")
        base = load(tiny["aya"], "aya")
        names = {name for name, _ in base.named_parameters() if name.rpartition(".")[2] == "bias"}
        model, targets = add_adapters(base, config, described)
        biases[choice] = {
            name.removeprefix("base_model.model.").replace("base_layer.", "")
            for name in trained(model)
            if ".lora_" not in name
        }
        if choice == "all":
            assert biases[choice] == names
        if choice == "lora_only":
            assert biases[choice] == {f"{path}.bias" for path in targets.modules} & names
    assert biases["none"] == set()
    assert biases["lora_only"]


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_train_in_the_dtype_of_the_base(tiny: dict[FamilyName, Path], family: FamilyName, bias: str) -> None:
    config, described = demo(family, f"lora.bias={bias}")
    model, _ = add_adapters(load(tiny[family], family), config, described)
    inputs = batch(load_processor(tiny[family], described), torch.bfloat16)
    model(**inputs).logits.float().pow(2).mean().backward()
    of_base = [parameter for name, parameter in trained(model).items() if ".lora_" not in name]
    assert {parameter.dtype for parameter in of_base} <= {torch.bfloat16}
    assert all(parameter.dtype == torch.float32 for name, parameter in trained(model).items() if ".lora_" in name)


@pytest.mark.parametrize("bias", ["none", "all"])
def test_saved_adapters_on_a_freshly_loaded_base_give_the_trained_models_logits(
    tiny: dict[FamilyName, Path], family: FamilyName, bias: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # PEFT asks the hub about a base of this kind of name
    config, described = demo(family, f"lora.bias={bias}")
    name = "somebody/their-base"
    model, _ = add_adapters(load(tiny[family], family, name=name), config, described)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in trained(model).values():  # as if trained: fresh adapters change nothing
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    inputs = batch(load_processor(tiny[family], described), DTYPES[config.compute_dtype])
    model.eval()
    with torch.no_grad():
        expected = model(**inputs).logits
        model.save_pretrained(tmp_path, safe_serialization=True)
        base = load(tiny[family], family).eval()
        assert not torch.allclose(base(**inputs).logits, expected, atol=0.5)
        again = PeftModel.from_pretrained(base, tmp_path).eval()
        torch.testing.assert_close(again(**inputs).logits, expected, rtol=0, atol=0)
    assert again.peft_config["default"].base_model_name_or_path == name
    assert not list(tmp_path.glob("*.bin"))


def test_gradients_are_the_same_before_and_after_an_evaluation(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    config, described = demo(family)
    model, _ = add_adapters(load(tiny[family], family), config, described)
    inputs = batch(load_processor(tiny[family], described), torch.bfloat16)
    gradients = []
    for evaluate_first in (False, True):
        if evaluate_first:
            with torch.no_grad():
                model.eval()(**inputs)
        model.train().zero_grad()
        model(**inputs).logits.float().pow(2).mean().backward()
        gradients.append([parameter.grad for parameter in trained(model).values()])
    assert any(gradient.abs().max() > 0 for gradient in gradients[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)
