from __future__ import annotations

import errno
import json
import multiprocessing
import os
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AyaVisionProcessor, CohereTokenizer, MllamaProcessor, PreTrainedModel
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.models.tiny import AYA_CONTROL_TOKENS, LLAMA_CONTROL_TOKENS, build_model, tiny_checkpoint
from inft.params import FamilyName
from tests.models.bases import FULL_PRECISION, batch, conversation, load
from tests.training.nursery import Nursery

CONTROL_TOKENS: dict[FamilyName, tuple[str, ...]] = {
    "llama32": (*LLAMA_CONTROL_TOKENS, "<|image|>"),
    "aya": (*AYA_CONTROL_TOKENS, "<image>"),
}

WITHOUT_TORCHVISION = """
import sys
from pathlib import Path
from PIL import Image
from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
for family, folder in zip(("llama32", "aya"), sys.argv[1:], strict=True):
    processor = load_processor(Path(folder), FAMILIES[family])
    text = processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}], tokenize=False)
    processor(images=[Image.new("RGB", (90, 60))], text=[text], add_special_tokens=False, return_tensors="pt")
print("torchvision" in sys.modules)
"""


def test_a_checkpoint_is_made_once(tmp_path: Path, family: FamilyName) -> None:
    folder = tiny_checkpoint(family, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    assert tiny_checkpoint(family, tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == made
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        tiny_checkpoint("aya", tmp_path)
    assert list((tmp_path / "tiny").iterdir()) == []


def make(cache: Path, ready: Barrier, made: SimpleQueue[Path]) -> None:
    """Makes a checkpoint at the same time as others; a forked process's work."""
    torch.set_num_threads(1)
    ready.wait(60)
    made.put(tiny_checkpoint("llama32", cache))


def test_two_processes_at_once_both_get_it(tmp_path: Path) -> None:
    forks = multiprocessing.get_context("fork")
    ready, made = forks.Barrier(2), forks.SimpleQueue()
    makers = [forks.Process(target=make, args=(tmp_path / "cache", ready, made)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0, 0]
    (folder,) = {made.get() for _ in makers}
    assert list((tmp_path / "cache/tiny").iterdir()) == [folder]
    assert load_file(folder / "model.safetensors")


def test_the_same_seed_gives_the_same_weights(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    processor = load_processor(tiny[family], FAMILIES[family])
    before = torch.random.get_rng_state()
    states = [build_model(family, processor, seed).state_dict() for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), before)  # the run's own random numbers stay what they were
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_the_same_texts_give_the_same_files(tiny: dict[FamilyName, Path], family: FamilyName, tmp_path: Path) -> None:
    again = tiny_checkpoint(family, tmp_path)
    assert again.name == tiny[family].name
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in tiny[family].iterdir()
    }


def test_the_folder_holds_what_a_released_checkpoint_holds(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    assert {path.name for path in tiny[family].iterdir()} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(path.stat().st_size for path in tiny[family].iterdir()) < 8 * 2**20
    described = AutoConfig.from_pretrained(tiny[family])
    assert type(described) is type(FAMILIES[family].released_config())
    assert {tensor.dtype for tensor in load_file(tiny[family] / "model.safetensors").values()} == {torch.bfloat16}


def test_processors_are_the_released_classes_on_pil(tiny: dict[FamilyName, Path]) -> None:
    llama, aya = (load_processor(tiny[family], FAMILIES[family]) for family in ("llama32", "aya"))
    assert type(llama) is MllamaProcessor
    assert type(aya) is AyaVisionProcessor
    assert type(llama.image_processor) is MllamaImageProcessorPil
    assert type(aya.image_processor) is GotOcr2ImageProcessorPil
    assert isinstance(aya.tokenizer, CohereTokenizer)


@pytest.mark.slow
def test_torchvision_is_never_imported(tiny: dict[FamilyName, Path], nursery: Nursery) -> None:
    done = nursery.run(["-c", WITHOUT_TORCHVISION, str(tiny["llama32"]), str(tiny["aya"])], os.environ)
    assert done.stdout == "False\n", done.stderr


def test_control_tokens_are_one_token_each(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    tokenizer = load_processor(tiny[family], FAMILIES[family]).tokenizer
    ids = [tokenizer(token, add_special_tokens=False)["input_ids"] for token in CONTROL_TOKENS[family]]
    assert all(len(each) == 1 for each in ids)
    assert len({each[0] for each in ids}) == len(ids)
    assert tokenizer.decode([each[0] for each in ids], skip_special_tokens=True).strip() == ""
    ends = {"llama32": "<|eot_id|>", "aya": "<|END_OF_TURN_TOKEN|>"}
    assert tokenizer.eos_token == ends[family]
    assert tokenizer.pad_token not in (None, tokenizer.eos_token)


def test_llamas_picture_is_the_first_id_without_a_row_in_the_head(tiny: dict[FamilyName, Path]) -> None:
    processor = load_processor(tiny["llama32"], FAMILIES["llama32"])
    model = load(tiny["llama32"], "llama32")
    rows = model.get_output_embeddings().weight.shape[0]
    assert processor.image_token_id == model.config.image_token_index == rows == len(processor.tokenizer) - 1
    assert model.get_input_embeddings().weight.shape[0] == rows + 8  # as released: eight rows more than the head


def test_ayas_head_is_its_embedding(tiny: dict[FamilyName, Path]) -> None:
    processor = load_processor(tiny["aya"], FAMILIES["aya"])
    model = load(tiny["aya"], "aya")
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.get_output_embeddings().weight.shape[0] == len(processor.tokenizer)
    assert processor.image_token_id == model.config.image_token_index
    assert processor.tokenizer.convert_ids_to_tokens(processor.image_token_id) == "<|IMG_PATCH|>"


@pytest.mark.parametrize(
    "text", ["Brücke 12°", "宇宙飛行士", "رائدة الفضاء", "ගගනගාමී", "🚀 {x} <b>", "  two  spaces\n\nlines"]
)
def test_any_text_comes_back_from_its_tokens(tiny: dict[FamilyName, Path], family: FamilyName, text: str) -> None:
    tokenizer = load_processor(tiny[family], FAMILIES[family]).tokenizer
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


EXPECTED: dict[FamilyName, tuple[str, str]] = {
    "llama32": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>What is this?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "A picture.<|eot_id|>",
    ),
    "aya": (
        "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|><image>What is this?<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
        "A picture.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    ),
}


def test_the_chat_template_renders_as_the_released_one(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    processor = load_processor(tiny[family], FAMILIES[family])
    prompt, answer = EXPECTED[family]
    asked = list(conversation(answer=None))
    assert processor.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) == prompt
    assert processor.apply_chat_template(list(conversation()), tokenize=False) == prompt + answer
    plain = [{"role": "user", "content": "Hello"}]
    assert "Hello" in processor.apply_chat_template(plain, tokenize=False)


def test_the_picture_reaches_the_logits(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    model = load(tiny[family], family, *FULL_PRECISION).eval()
    inputs = batch(load_processor(tiny[family], FAMILIES[family]), torch.float32)
    with torch.no_grad():
        seen = model(**inputs).logits[:, -1]
        blank = model(**inputs | {"pixel_values": torch.zeros_like(inputs["pixel_values"])}).logits[:, -1]
    assert (seen - blank).abs().max() > 0.01


def test_llamas_gates_are_open(tiny: dict[FamilyName, Path]) -> None:
    tensors = load_file(tiny["llama32"] / "model.safetensors")
    gates = {name: tensor for name, tensor in tensors.items() if "gate" in name.rpartition(".")[2]}
    # Two cross-attention layers and one global vision layer with two each, three embeddings of places.
    assert len(gates) == 2 * 2 + 2 + 3
    assert all(tensor.abs().min() > 0 for tensor in gates.values())


def test_llama_sees_where_a_tile_lies(tiny: dict[FamilyName, Path]) -> None:
    model = load(tiny["llama32"], "llama32", *FULL_PRECISION).eval()
    inputs = batch(load_processor(tiny["llama32"], FAMILIES["llama32"]), torch.float32)
    other = inputs["aspect_ratio_ids"] % 8 + 1
    with torch.no_grad():
        logits = [model(**inputs | {"aspect_ratio_ids": ids}).logits for ids in (inputs["aspect_ratio_ids"], other)]
    assert (logits[0] - logits[1]).abs().max() > 0.001


def test_tiny_and_released_differ_in_nothing_but_size(tiny: dict[FamilyName, Path], family: FamilyName) -> None:
    small = json.loads((tiny[family] / "config.json").read_text())
    released = FAMILIES[family].released_config().to_dict()
    assert small["model_type"] == released["model_type"]
    for part in ("text_config", "vision_config"):
        assert small[part]["model_type"] == released[part]["model_type"]
        assert small[part].get("hidden_act") == released[part].get("hidden_act")
    assert small["text_config"].get("logit_scale") == released["text_config"].get("logit_scale")
    assert small["text_config"]["tie_word_embeddings"] == released["text_config"]["tie_word_embeddings"]
