"""Tiny checkpoints for the tests, and what the program makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from inft.config import Config
from inft.data.encoding import Processor
from inft.models.checkpoint import Checkpoint
from inft.models.family import Family
from inft.models.quantization import load_base
from inft.models.registry import FAMILIES
from inft.params import FamilyName
from inft.profiles import resolve

DEMOS: dict[FamilyName, str] = {"llama32": "demo_llama", "aya": "demo_aya"}

FULL_PRECISION = ("qlora.load_in_4bit=false", "basic.dtype=float32")


def demo(family: FamilyName, *overrides: str) -> tuple[Config, Family]:
    """The family's demo profile."""
    return resolve(DEMOS[family], overrides).config, FAMILIES[family]


def load(
    folder: Path, family: FamilyName, *overrides: str, attention: str = "sdpa", name: str | None = None
) -> PreTrainedModel:
    """The base in `folder`, loaded on the CPU as a run does it."""
    config, described = demo(family, *overrides)
    checkpoint = Checkpoint(folder, folder, name or str(folder))
    device = torch.device("cpu")
    return load_base(
        config, described, checkpoint, device=device, attention=attention, progress=lambda done, total: None
    )


def copied(folder: Path, target: Path) -> Path:
    """A copy of a checkpoint that a test may spoil."""
    shutil.copytree(folder, target)
    return target


def edit_json(path: Path, **changes: Any) -> None:
    """Replaces values of a JSON object."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Changes tensors of a checkpoint."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def picture(width: int = 120, height: int = 90) -> Image.Image:
    """Noise of a size."""
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def conversation(text: str = "What is this?", answer: str | None = "A picture.") -> Iterator[dict[str, Any]]:
    """One picture, one instruction and, unless None, one answer."""
    yield {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}
    if answer is not None:
        yield {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def batch(processor: Processor, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What the processor makes of a picture and a conversation, its pixels in `dtype`."""
    text = processor.apply_chat_template(list(conversation()), tokenize=False)
    inputs = processor(images=[picture()], text=[text], add_special_tokens=False, return_tensors="pt")
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}
