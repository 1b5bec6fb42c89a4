"""The merged weights, against PEFT's own merge in fp32 and against the model with its adapters."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText

from inft.captioning.chosen import ChosenModel
from inft.captioning.loading import check_adapters
from inft.errors import ConfigError
from inft.merging.lora import read_adapters
from inft.merging.names import places
from inft.models.adapters import skeleton
from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.params import FamilyName, Mode
from tests.merging.adapters import adapted, by_peft, merged, planned, saved
from tests.models.bases import batch, copied, edit_json, edit_weights, load

HALF_STEP = 2.0**-8
"""Of bf16, which has 8 bits of mantissa: the most by which rounding once moves a number, as a share of it."""


def parameters(folder: Path, base: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by the names that the model has for them."""
    tensors = load_file(folder / "model.safetensors")
    found = {}
    for name, place in places(skeleton(AutoConfig.from_pretrained(base)), tensors).items():
        assert place.parameter is not None
        found[place.parameter] = tensors[name]
    return found


def logits(model: torch.nn.Module, base: Path, family: FamilyName) -> torch.Tensor:
    inputs = batch(load_processor(base, FAMILIES[family]), torch.float32)
    with torch.no_grad():
        found: torch.Tensor = model(**inputs).logits
    return found


@pytest.mark.parametrize("mode", ["basic", "advanced"])
def test_every_weight_is_rounded_once_and_the_logits_are_the_adapters(
    tiny: dict[FamilyName, Path], family: FamilyName, mode: Mode, tmp_path: Path
) -> None:
    base = tiny[family]
    model, _ = adapted(base, family, mode)
    folder = merged(base, saved(model, tmp_path / "adapters"), tmp_path / "merged")
    with_adapters = logits(model, base, family)
    expected = by_peft(model).state_dict()
    for name, tensor in parameters(folder, base).items():
        assert tensor.dtype == torch.bfloat16
        # Where PEFT sums in another order, a number in the middle between two of bf16 may fall to the other side.
        assert torch.allclose(tensor.float(), expected[name], rtol=HALF_STEP * 1.001, atol=1e-9), name
    shutil.copyfile(base / "config.json", folder / "config.json")
    plain = load(folder, family, "qlora.load_in_4bit=false", "basic.dtype=float32").eval()
    untouched = load(base, family, "qlora.load_in_4bit=false", "basic.dtype=float32").eval()
    change = (logits(untouched, base, family) - with_adapters).std()
    rounding = (logits(plain, base, family) - with_adapters).std()
    assert rounding < 0.2 * change  # measured 0.09 to 0.12; adapters of twice the scale would be 1


def test_only_what_has_an_adapter_changes(tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path) -> None:
    model, _ = adapted(tiny[family], family, "basic")
    adapters = saved(model, tmp_path / "adapters")
    folder = merged(tiny[family], adapters, tmp_path / "merged")
    before, after = load_file(tiny[family] / "model.safetensors"), load_file(folder / "model.safetensors")
    plan, read = planned(tiny[family], adapters)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(plan.factors)
    assert len(changed) == len(read.factors) == len(model.targeted_module_names)
    assert list(before) == list(after)


def test_names_of_an_older_and_of_the_present_layout_come_to_the_same(
    tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path
) -> None:
    old = tiny[family]
    model, _ = adapted(old, family)
    adapters = saved(model, tmp_path / "adapters")
    present = copied(old, tmp_path / "present")
    tensors = parameters(old, old)
    assert not tensors.keys() & load_file(old / "model.safetensors").keys()  # the tiny one has the older names
    save_file(tensors, present / "model.safetensors", metadata={"format": "pt"})
    first, second = merged(old, adapters, tmp_path / "a"), merged(present, adapters, tmp_path / "b")
    one, other = (parameters(folder, old) for folder in (first, second))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert load_file(second / "model.safetensors").keys() == tensors.keys()


def test_shards_keep_their_files_and_transformers_finds_everything(
    tiny: dict[FamilyName, Path], tmp_path: Path
) -> None:
    base = copied(tiny["aya"], tmp_path / "base")
    (base / "model.safetensors").unlink()
    whole = AutoModelForImageTextToText.from_pretrained(tiny["aya"], dtype=torch.float32)
    whole.save_pretrained(base, max_shard_size="6MB")  # in fp32: it is halved
    model, _ = adapted(tiny["aya"], "aya")
    folder = merged(base, saved(model, tmp_path / "adapters"), tmp_path / "merged")
    index = "model.safetensors.index.json"
    was, now = (json.loads((place / index).read_text()) for place in (base, folder))
    assert was["weight_map"] == now["weight_map"]
    assert len(set(now["weight_map"].values())) > 1
    written = [tensor for path in folder.glob("*.safetensors") for tensor in load_file(path).values()]
    assert now["metadata"]["total_size"] == sum(tensor.nbytes for tensor in written)
    shutil.copyfile(base / "config.json", folder / "config.json")
    _, report = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_trained_biases_take_the_place_of_the_bases(tiny: dict[FamilyName, Path], tmp_path: Path, bias: str) -> None:
    model, _ = adapted(tiny["aya"], "aya", "advanced", f"lora.bias={bias}")
    adapters = saved(model, tmp_path / "adapters")
    folder = merged(tiny["aya"], adapters, tmp_path / "merged")
    expected, untouched = by_peft(model).state_dict(), load_file(tiny["aya"] / "model.safetensors")
    after = load_file(folder / "model.safetensors")
    plan, _ = planned(tiny["aya"], adapters)
    assert len(plan.biases) == {"lora_only": 8, "all": 21}[bias]
    for name in plan.biases:
        assert not torch.equal(after[name], untouched[name])
    for name, tensor in parameters(folder, tiny["aya"]).items():
        assert torch.allclose(tensor.float(), expected[name], rtol=HALF_STEP * 1.001, atol=1e-9), name


def test_a_bias_of_another_length_is_refused(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    model, _ = adapted(tiny["aya"], "aya", "basic", "lora.bias=all")
    base = copied(tiny["aya"], tmp_path / "base")
    name = next(name for name in load_file(base / "model.safetensors") if name.endswith("0.self_attn.k_proj.bias"))
    edit_weights(base, lambda tensors: tensors.update({name: tensors[name][:-1].clone()}))
    with pytest.raises(ConfigError, match=r"layers\.0\.self_attn\.k_proj\.bias of shape \[\d+\], and the one in"):
        planned(base, saved(model, tmp_path / "adapters"))


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_adapters_with_trained_biases_are_for_the_base_that_they_were_trained_on(
    tiny: dict[FamilyName, Path], tmp_path: Path, bias: str
) -> None:
    model, config = adapted(tiny["aya"], "aya", "advanced", f"lora.bias={bias}")
    basic = replace(config.basic, model_source="folder", model_path=str(tiny["aya"]))
    folder = saved(model, tmp_path / "adapters")
    chosen = ChosenModel("it", replace(config, basic=basic), tmp_path, folder, None, None)
    check_adapters(chosen, FAMILIES["aya"])
    tensors = load_file(folder / "adapter_model.safetensors")
    trained = next(name for name in tensors if name.endswith(".bias"))
    tensors[trained] = tensors[trained][:-1].clone()
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(ConfigError, match=r"their .*\.bias is of another size"):
        check_adapters(chosen, FAMILIES["aya"])


def test_adapters_of_another_family_find_no_weight(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    model, _ = adapted(tiny["llama32"], "llama32", "basic")
    with pytest.raises(ConfigError, match=r"and the model in .* has no such weight"):
        planned(tiny["aya"], saved(model, tmp_path / "adapters"))


def test_adapters_of_a_wider_model_are_refused(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    model, _ = adapted(tiny["aya"], "aya", "basic")
    base = copied(tiny["aya"], tmp_path / "base")
    name = "language_model.model.layers.2.mlp.up_proj.weight"
    edit_weights(base, lambda tensors: tensors.update({name: tensors[name][:-1].clone()}))
    with pytest.raises(ConfigError, match=r"mlp\.up_proj\.weight of shape \[512, 256\], and .* \[511, 256\]"):
        planned(base, saved(model, tmp_path / "adapters"))


def test_a_weight_that_is_not_one_tensor_is_refused(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    model, _ = adapted(tiny["aya"], "aya", "basic")
    base = copied(tiny["aya"], tmp_path / "base")
    name = "language_model.model.layers.0.self_attn.q_proj.weight"
    twin = "model.language_model.layers.0.self_attn.q_proj.weight"
    edit_weights(base, lambda tensors: tensors.update({twin: tensors[name].clone()}))
    with pytest.raises(ConfigError, match="is not stored as one tensor"):
        planned(base, saved(model, tmp_path / "adapters"))


def test_what_is_no_plain_lora_is_refused(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    model, _ = adapted(tiny["aya"], "aya", "basic")
    folder = saved(model, tmp_path / "adapters")
    assert read_adapters(folder).scale == 8 / 4
    settings = folder / "adapter_config.json"
    edit_json(settings, use_rslora=True)
    assert read_adapters(folder).scale == 8 / 2
    edit_json(settings, use_dora=True, rank_pattern={"q_proj": 2})
    with pytest.raises(ConfigError, match="no plain LoRA: they set use_dora, rank_pattern"):
        read_adapters(folder)
    edit_json(settings, use_dora=False, rank_pattern={}, r=3)
    with pytest.raises(ConfigError, match="not whole, or not of rank 3"):
        read_adapters(folder)
    (folder / "adapter_model.safetensors").write_bytes(b"half")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_adapters(folder)
    settings.unlink()
    with pytest.raises(ConfigError, match="so it holds no adapters"):
        read_adapters(folder)
