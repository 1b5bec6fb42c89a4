from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from transformers import PreTrainedModel

from inft.errors import ConfigError
from inft.models.checkpoint import Checkpoint, load_processor
from inft.models.quantization import load_base
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from tests.models.bases import FULL_PRECISION, batch, copied, demo, edit_json, edit_weights, load

SKIPPABLE: dict[FamilyName, str] = {"llama32": "vision_model", "aya": "vision_tower"}


def four_bit(model: PreTrainedModel) -> dict[str, Linear4bit]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}


def linear(model: PreTrainedModel) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def test_every_linear_layer_but_the_head_is_double_quantised_nf4(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    model = load(tiny[family], family)
    layers = four_bit(model)
    assert linear(model) - set(layers) == {"lm_head"}
    for layer in layers.values():
        state = layer.weight.quant_state
        assert (layer.weight.dtype, state.quant_type, state.nested) == (torch.uint8, "nf4", True)
        assert state.shape == (layer.out_features, layer.in_features)
        assert layer.compute_dtype == torch.bfloat16
    assert model.get_output_embeddings().weight.dtype == model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert model.config.use_cache is False


def test_the_knobs_of_the_quantisation_arrive(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    model = load(
        tiny[family],
        family,
        "qlora.bnb_4bit_quant_type=fp4",
        "qlora.bnb_4bit_use_double_quant=false",
        "qlora.bnb_4bit_compute_dtype=float16",
    )
    for layer in four_bit(model).values():
        state = layer.weight.quant_state
        assert (state.quant_type, state.nested, layer.compute_dtype) == ("fp4", False, torch.float16)
    assert model.dtype == torch.float16


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_base_that_is_not_quantised_is_held_in_the_dtype_of_the_knob(
    tiny: dict[FamilyName, Path], family: FamilyName, dtype: str
) -> None:
    model = load(tiny[family], family, "qlora.load_in_4bit=false", f"basic.dtype={dtype}")
    assert four_bit(model) == {}
    assert {str(parameter.dtype) for parameter in model.parameters()} == {f"torch.{dtype}"}


def test_skipped_modules_stay_in_16_bit(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    described = FAMILIES[family]
    model = load(tiny[family], family, f"qlora.skip_modules={SKIPPABLE[family]}")
    layers = four_bit(model)
    assert {described.group(path) for path in linear(model) - set(layers) - {"lm_head"}} == {"vision"}
    assert {described.group(path) for path in layers} == {"language", "projector"}


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("q_proj", lambda path: path.endswith(".q_proj")),
        ("layers.1.mlp", lambda path: ".layers.1.mlp." in path),
        ("multi_modal_projector", lambda path: "multi_modal_projector" in path),
    ],
)
def test_a_skipped_name_may_stand_anywhere_in_a_path(tiny: dict[FamilyName, Path], name: str, skipped: object) -> None:
    assert callable(skipped)
    model = load(tiny["aya"], "aya", f"qlora.skip_modules={name}")
    assert linear(model) - set(four_bit(model)) - {"lm_head"} == {path for path in linear(model) if skipped(path)}


def test_a_skipped_name_that_is_nowhere_is_refused(tiny: dict[FamilyName, Path]) -> None:
    with pytest.raises(ConfigError, match=r"skip_modules names vision_model, layers\.9, and Aya"):
        load(tiny["aya"], "aya", "qlora.skip_modules=vision_model,vision_tower,layers.9")


def test_4_bit_is_close_to_the_full_precision_that_it_stands_for(
    tiny: dict[FamilyName, Path], family: FamilyName
) -> None:
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.float32)
    with torch.no_grad():
        exact = load(tiny[family], family, *FULL_PRECISION)(**inputs).logits
        pixels = {"pixel_values": inputs["pixel_values"].bfloat16()}
        rough = load(tiny[family], family)(**inputs | pixels).logits.float()
    similarity = torch.nn.functional.cosine_similarity(exact, rough, dim=-1)
    assert similarity.median() > 0.8


def test_loading_reports_every_tensor_and_draws_no_bar(
    tiny: dict[FamilyName, Path], family: FamilyName, capfd: pytest.CaptureFixture[str]
) -> None:
    config, described = demo(family)
    calls: list[tuple[int, int | None]] = []
    load_base(
        config,
        described,
        Checkpoint(tiny[family], tiny[family], "base"),
        device=torch.device("cpu"),
        attention="sdpa",
        progress=lambda done, total: calls.append((done, total)),
    )
    total = calls[0][1]
    assert total is not None
    assert [done for done, _ in calls] == list(range(total + 1))
    assert "Loading weights" not in capfd.readouterr().err


def test_the_base_is_called_what_the_checkpoint_is(tiny: dict[FamilyName, Path]) -> None:
    assert load(tiny["aya"], "aya", name="CohereLabs/aya-vision-8b").name_or_path == "CohereLabs/aya-vision-8b"


@pytest.fixture
def spoilt(tiny: dict[FamilyName, Path], tmp_path: Path) -> Path:
    """A checkpoint that a test may spoil."""
    return copied(tiny["aya"], tmp_path / "spoilt")


def refused(folder: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, "aya", *overrides)
    assert "\n" not in caught.value.message
    assert str(folder) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("overrides", [(), ("qlora.load_in_4bit=false",)])
class TestWeightsThatAreNotTheModels:
    def test_a_missing_tensor_is_never_made_up(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        edit_weights(spoilt, lambda tensors: tensors.pop("language_model.model.layers.2.mlp.up_proj.weight"))
        message = refused(spoilt, *overrides)
        assert "model.language_model.layers.2.mlp.up_proj.weight is missing." in message

    def test_a_tensor_of_another_shape_is_never_used(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        def cut(tensors: dict[str, torch.Tensor]) -> None:
            name = "multi_modal_projector.linear_1.weight"
            tensors[name] = tensors[name][:64].clone()

        edit_weights(spoilt, cut)
        assert "model.multi_modal_projector.linear_1.weight has shape [64, 256], not [256, 256]." in refused(
            spoilt, *overrides
        )

    def test_a_file_cut_short_is_named(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        weights = spoilt / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        assert "cannot be loaded" in refused(spoilt, *overrides)

    def test_a_missing_shard_is_named(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        (spoilt / "model.safetensors").rename(spoilt / "model-00001-of-00002.safetensors")
        (spoilt / "model.safetensors.index.json").write_text(
            '{"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}'
        )
        assert "model-00002-of-00002.safetensors" in refused(spoilt, *overrides)

    def test_an_adapter_alone_is_no_base(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        (spoilt / "model.safetensors").rename(spoilt / "adapter_model.safetensors")
        assert "no file named model.safetensors" in refused(spoilt, *overrides)

    def test_an_architecture_that_cannot_be_is_named(self, spoilt: Path, overrides: tuple[str, ...]) -> None:
        edit_json(spoilt / "config.json", text_config={"model_type": "cohere2", "hidden_size": "wide"})
        assert "hidden_size" in refused(spoilt, *overrides)


def test_weights_in_pickles_are_not_read(spoilt: Path) -> None:
    torch.save({"a": torch.zeros(1)}, spoilt / "pytorch_model.bin")
    (spoilt / "model.safetensors").unlink()
    assert "cannot be loaded" in refused(spoilt)


def test_code_in_a_checkpoint_is_never_run(spoilt: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (spoilt / "evil.py").write_text(
        f"open({str(marker)!r}, 'w')\nclass Evil: ...\nclass EvilConfig: ...\nclass EvilTokenizer: ...\n"
    )
    classes = {
        "AutoConfig": "evil.EvilConfig",
        "AutoModelForImageTextToText": "evil.Evil",
        "AutoProcessor": "evil.Evil",
        "AutoImageProcessor": "evil.Evil",
        "AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"],
    }
    for name in ("config.json", "processor_config.json", "tokenizer_config.json"):
        edit_json(spoilt / name, auto_map=classes)
    load(spoilt, "aya")
    load_processor(spoilt, FAMILIES["aya"])
    assert not marker.exists()


def test_a_checkpoint_saved_in_4_bit_loads_again(spoilt: Path, tmp_path: Path) -> None:
    model = load(spoilt, "aya").eval()
    model.save_pretrained(tmp_path / "saved")
    inputs = batch(load_processor(spoilt, FAMILIES["aya"]), torch.bfloat16)
    again = load(tmp_path / "saved", "aya").eval()
    assert set(four_bit(again)) == set(four_bit(model))
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)
