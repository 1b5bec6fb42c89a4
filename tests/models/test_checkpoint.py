"""Checkpoints in folders: what is accepted, and what is refused with which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inft.errors import ConfigError
from inft.models.checkpoint import Checkpoint, architecture, load_processor, locate
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from tests.models.bases import conversation, copied, demo, edit_json, picture

OTHER: dict[FamilyName, FamilyName] = {"llama32": "aya", "aya": "llama32"}


def find(folder: Path | str, family: FamilyName = "aya", root: Path = Path("/")) -> Checkpoint:
    """What `locate` makes of a folder."""
    config, described = demo(family, "basic.model_source=folder", f"basic.model_path={folder}")
    return locate(config, described, root, progress=lambda done, total: None)


def describe(folder: Path, family: FamilyName = "aya") -> object:
    config, described = demo(family, "basic.model_source=folder", f"basic.model_path={folder}")
    return architecture(config, described, Path("/"))


def refusal(action: Callable[[], object]) -> str:
    """The words of the `ConfigError` that `action` ends with, which are one line and a way out."""
    with pytest.raises(ConfigError) as caught:
        action()
    assert "\n" not in caught.value.message
    assert caught.value.fix
    return caught.value.message


@pytest.fixture
def spoilt(tiny: dict[FamilyName, Path], tmp_path: Path) -> Path:
    """An Aya checkpoint that a test may spoil."""
    return copied(tiny["aya"], tmp_path / "spoilt")


def test_a_folder_is_used_where_it_lies(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    assert find(tiny[family], family) == Checkpoint(tiny[family], tiny[family], str(tiny[family]))
    assert describe(tiny[family], family).to_dict()["model_type"] == FAMILIES[family].released_config().model_type


def test_a_relative_folder_starts_at_the_root_and_stays_there(tiny: dict[FamilyName, Path]) -> None:
    root, name = tiny["aya"].parent, tiny["aya"].name
    assert find(name, root=root).model == tiny["aya"]
    assert "leads out of" in refusal(lambda: find(f"../{name}", root=root))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for look in (find, describe):
        message = refusal(lambda look=look: look(tmp_path / "nowhere"))
        assert message.startswith(f"There is no folder {tmp_path}/nowhere")


def test_a_folder_without_config_json_is_no_checkpoint(spoilt: Path) -> None:
    (spoilt / "config.json").unlink()
    assert "no config.json" in refusal(lambda: find(spoilt))
    assert "no config.json" in refusal(lambda: describe(spoilt))


def test_the_other_familys_checkpoint_is_refused(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    other = OTHER[family]
    names = {"llama32": "mllama", "aya": "aya_vision"}
    expected = f"holds a model of type '{names[other]}', and family {family} is '{names[family]}'."
    assert expected in refusal(lambda: find(tiny[other], family))
    assert expected in refusal(lambda: describe(tiny[other], family))


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'"aya_vision"', b"null", b"\xff\xfe{}", b"[" * 100_000])
def test_a_config_json_that_is_no_json_object_is_named(spoilt: Path, text: bytes) -> None:
    (spoilt / "config.json").write_bytes(text)
    for look in (find, describe):
        message = refusal(lambda look=look: look(spoilt))
        assert f"{spoilt}/config.json is not a JSON object" in message
        assert len(message) < 600


@pytest.mark.parametrize(
    "text_config", ["cohere2", {"model_type": "cohere2", "hidden_size": "wide"}, {"model_type": "nonsense"}]
)
def test_an_architecture_that_cannot_be_is_named(spoilt: Path, text_config: object) -> None:
    edit_json(spoilt / "config.json", text_config=text_config)
    message = refusal(lambda: describe(spoilt))
    assert f"The checkpoint in {spoilt} cannot be loaded" in message
    assert len(message) < 600


def test_weights_are_read_from_safetensors_only(spoilt: Path) -> None:
    (spoilt / "model.safetensors").unlink()
    torch.save({"lm_head.weight": torch.zeros(1)}, spoilt / "pytorch_model.bin")
    assert "no weights in safetensors files, and no other kind is read" in refusal(lambda: find(spoilt))
    assert describe(spoilt)  # what it says of itself can be had without


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("processor_config.json", None, "no processor that can be loaded"),
        ("processor_config.json", "[]", "no processor that can be loaded"),
        ("processor_config.json", "{", "no processor that can be loaded"),
        ("processor_config.json", "{}", "processor"),
        ("tokenizer.json", None, "holds no tokenizer.json"),
        ("tokenizer.json", "{", "no processor that can be loaded"),
        ("tokenizer.json", "{}", "no processor that can be loaded"),
        ("chat_template.jinja", None, "has no chat template"),
    ],
)
def test_a_processor_that_is_not_whole_is_refused(spoilt: Path, file: str, text: str | None, expected: str) -> None:
    if text is None:
        (spoilt / file).unlink()
    else:
        (spoilt / file).write_text(text)
    message = refusal(lambda: load_processor(spoilt, FAMILIES["aya"]))
    assert expected in message
    assert str(spoilt) in message


def test_the_other_familys_processor_is_refused(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    refusal(lambda: load_processor(tiny[OTHER[family]], FAMILIES[family]))


def test_a_tokenizer_without_a_pad_token_pads_with_its_end_token(
    tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path
) -> None:
    folder = copied(tiny[family], tmp_path / "copy")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    if family == "aya":
        settings["pad_token"] = None  # the class has a default of its own
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = load_processor(folder, FAMILIES[family]).tokenizer
    assert tokenizer.pad_token == tokenizer.eos_token


def test_the_layout_of_the_released_checkpoints_loads_alike(
    tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path
) -> None:
    """The released folders are older: settings of images and template each in a file of their own."""
    folder = copied(tiny[family], tmp_path / "copy")
    settings = json.loads((folder / "processor_config.json").read_text())
    images = settings.pop("image_processor")
    (folder / "preprocessor_config.json").write_text(
        json.dumps(images | {"processor_class": settings["processor_class"]})
    )
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    (folder / "chat_template.jinja").unlink()
    if family == "llama32":
        (folder / "processor_config.json").unlink()
        edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    else:
        (folder / "processor_config.json").write_text(json.dumps(settings))
        edit_json(folder / "tokenizer_config.json", tokenizer_class="CohereTokenizerFast")
    outputs = []
    for place in (tiny[family], folder):
        processor = load_processor(place, FAMILIES[family])
        text = processor.apply_chat_template(list(conversation()), tokenize=False)
        outputs.append(processor(images=[picture()], text=[text], add_special_tokens=False, return_tensors="pt"))
    assert set(outputs[0]) == set(outputs[1])
    for name, tensor in outputs[0].items():
        assert torch.equal(outputs[1][name], tensor), name
