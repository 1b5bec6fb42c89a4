"""Small random checkpoints of both architectures, for demos and tests.

Everything but the size is the released checkpoints': architecture, processor and tokenizer classes, control tokens and
where their ids lie, chat template, safetensors files. The code that loads a released checkpoint loads these unchanged.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForImageTextToText,
    AyaVisionConfig,
    AyaVisionProcessor,
    CohereTokenizer,
    GenerationConfig,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaProcessor,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from inft.data.encoding import Processor
from inft.models.chat_templates import AYA_TEMPLATE, LLAMA32_TEMPLATE
from inft.models.tiny_description import PATCH_PIXELS, TILE_PIXELS, VOCABULARY, tiny_description
from inft.params import FamilyName
from inft.project import demo_folder

RELEASED_TILE_PIXELS: dict[FamilyName, int] = {"llama32": 560, "aya": 364}
CONFIGS: dict[FamilyName, type[PreTrainedConfig]] = {"llama32": MllamaConfig, "aya": AyaVisionConfig}

LLAMA_CONTROL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
AYA_CONTROL_TOKENS = (
    "<PAD>",
    "<UNK>",
    "<CLS>",
    "<SEP>",
    "<MASK_TOKEN>",
    "<BOS_TOKEN>",
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|SYSTEM_TOKEN|>",
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|START_OF_IMG|>",
    "<|END_OF_IMG|>",
    "<|IMG_LINE_BREAK|>",
    "<|IMG_PATCH|>",
)

# How Llama 3 cuts text into words before byte-pair encoding (source: tokenizer.json of the released checkpoint).
LLAMA_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def demo_texts() -> list[str]:
    """Every title, article and caption that the bundled corpus trains on; what tiny tokenizers are learnt from."""
    rows = map(json.loads, _demo_rows().decode("utf-8").splitlines())
    return [row[column] for row in rows for column in ("title", "content", "caption")]


def tiny_checkpoint(family: FamilyName, cache: Path) -> Path:
    """The folder of the tiny checkpoint, made there first if it is missing.

    Args:
        family: which architecture.
        cache: folder that holds one checkpoint per family and recipe.
    """
    folder = cache / "tiny" / f"{family}-{_recipe_digest()}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        processor = build_processor(family, demo_texts(), TILE_PIXELS[family])
        processor.save_pretrained(aside)
        build_model(family, processor).save_pretrained(aside)
        os.rename(aside, folder)
    except OSError:
        # Somebody else may have made the same folder meanwhile; theirs is as good.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def build_processor(family: FamilyName, texts: Iterable[str], tile_pixels: int) -> Processor:
    """The family's processor class with a tokenizer learnt from `texts`.

    Args:
        family: which architecture.
        texts: any number of texts.
        tile_pixels: side of a tile; 560 (Llama) and 364 (Aya) in the released checkpoints.
    """
    size = {"height": tile_pixels, "width": tile_pixels}
    if family == "llama32":
        return MllamaProcessor(
            MllamaImageProcessorPil(size=size, max_image_tiles=4),
            _llama_tokenizer(texts),
            chat_template=LLAMA32_TEMPLATE,
        )
    return AyaVisionProcessor(
        GotOcr2ImageProcessorPil(size=size, crop_to_patches=True, min_patches=1, max_patches=12),
        _aya_tokenizer(texts),
        patch_size=PATCH_PIXELS,
        downsample_factor=2,
        img_size=tile_pixels,
        chat_template=AYA_TEMPLATE,
    )


def tiny_config(family: FamilyName, processor: Processor) -> PreTrainedConfig:
    """The model's description with the processor's tiles and control tokens."""
    tokenizer = processor.tokenizer
    description = tiny_description(family, processor.image_processor.size["height"])
    description["text_config"] |= {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    described: PreTrainedConfig = CONFIGS[family].from_dict(description)
    return described


def build_model(family: FamilyName, processor: Processor, seed: int = 0) -> PreTrainedModel:
    """A bf16 model of `tiny_config` with random weights, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(tiny_config(family, processor), dtype=torch.bfloat16)
        if isinstance(model, MllamaForConditionalGeneration):
            _open_gates(model)
    tokenizer = processor.tokenizer
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def _open_gates(model: MllamaForConditionalGeneration) -> None:
    """Let the picture and the places of its tiles through: fresh gates are 0, trained ones are not."""
    gates = ("cross_attn_attn_gate", "cross_attn_mlp_gate", "gate_attn", "gate_ffn", "gate")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] in gates:
                parameter.fill_(0.5)


def _llama_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Byte-level pieces, then the control tokens, then `<|image|>` as the last id of all."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, _trainer())
    tokenizer.add_special_tokens([*LLAMA_CONTROL_TOKENS, "<|image|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
        clean_up_tokenization_spaces=False,
    )


def _aya_tokenizer(texts: Iterable[str]) -> CohereTokenizer:
    """Control tokens first, then byte-level pieces; `TILE_1` and the like are ordinary text, as released."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    learner.train_from_iterator(texts, _trainer(AYA_CONTROL_TOKENS))
    learnt = json.loads(learner.to_str())["model"]
    tokenizer = CohereTokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],  # type: ignore[misc]  # annotated as text, read as pairs
        extra_special_tokens=list(AYA_CONTROL_TOKENS[6:]),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    return tokenizer


def _trainer(control_tokens: tuple[str, ...] = ()) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(control_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )


def _recipe_digest() -> str:
    """Changes with all that a checkpoint is made from, so that no stale one is ever loaded."""
    sources = (sys.modules[__name__], sys.modules[tiny_description.__module__])
    recipe = [*map(inspect.getsource, sources), LLAMA32_TEMPLATE, AYA_TEMPLATE, transformers.__version__]
    return hashlib.sha256("".join(recipe).encode() + _demo_rows()).hexdigest()[:12]


def _demo_rows() -> bytes:
    return (demo_folder() / "train.jsonl").read_bytes()
