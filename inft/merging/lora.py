"""What a folder of adapters holds: the two factors of each adapted layer, and biases that were trained along."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from inft.errors import ConfigError

DESCRIPTION = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

PREFIX = "base_model.model."
"""What PEFT puts before a module's path."""

PLAIN: Mapping[str, Any] = {
    "use_dora": False,
    "lora_bias": False,
    "fan_in_fan_out": False,
    "modules_to_save": None,
    "target_parameters": None,
    "trainable_token_indices": None,
    "layer_replication": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}
"""Settings of PEFT under which an adapted weight is not `W + scale B A`; no run of ours uses them."""

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Factors:
    """Of one adapted layer with `inputs` and `outputs`.

    Attributes:
        down: name of A, (r, inputs).
        up: name of B, (outputs, r).
        shape: (outputs, inputs).
    """

    down: str
    up: str
    shape: tuple[int, int]


@dataclass(frozen=True)
class Adapters:
    """The content of a folder of adapters; its tensors are read when they are needed.

    Attributes:
        folder: where they lie.
        base_name: what their configuration calls the base: a hub id or a folder. Empty = it does not say.
        scale: alpha / r, or alpha / sqrt(r) where they were trained so.
        factors: by the path of the adapted module.
        biases: tensor names by the path of the parameter that they replace.
        digest: SHA-256 of the file of tensors.
    """

    folder: Path
    base_name: str
    scale: float
    factors: Mapping[str, Factors]
    biases: Mapping[str, str]
    digest: str = field(repr=False)

    def delta(self, factors: Factors) -> torch.Tensor:
        """What is added to the layer's weight: scale B A, (outputs, inputs) fp32."""
        with safe_open(self.folder / WEIGHTS, framework="pt") as tensors:
            up: torch.Tensor = tensors.get_tensor(factors.up)
            down: torch.Tensor = tensors.get_tensor(factors.down)
        return (up.float() @ down.float()).mul_(self.scale)

    def tensor(self, name: str) -> torch.Tensor:
        """One of the tensors as it is."""
        with safe_open(self.folder / WEIGHTS, framework="pt") as tensors:
            tensor: torch.Tensor = tensors.get_tensor(name)
        return tensor


def read_adapters(folder: Path) -> Adapters:
    """The LoRA adapters in `folder`.

    Raises:
        ConfigError: there are none, they cannot be read, or they are of a kind that is not merged here.
    """
    settings = _settings(folder)
    rank, alpha = settings["r"], settings["lora_alpha"]
    factors: dict[str, dict[str, str]] = {}
    biases: dict[str, str] = {}
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        digest = _digest(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"The adapters in {folder} cannot be read: {error}.", "Copy the folder again, with every file in it."
        ) from error
    for name in shapes:
        path = name.removeprefix(PREFIX)
        module, _, factor = path.partition(".lora_")
        if factor in ("A.weight", "B.weight"):
            factors.setdefault(module, {})[factor[0]] = name
        elif not factor and path.endswith(".bias"):
            biases[path.replace(".base_layer.", ".")] = name
        else:
            raise ConfigError(
                f"{folder / WEIGHTS} holds {path}, which is neither a factor of LoRA nor a bias.",
                "Merge these adapters with the program that trained them.",
            )
    return Adapters(
        folder,
        settings.get("base_model_name_or_path") or "",
        alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank),
        {module: _factors(folder, module, names, shapes, rank) for module, names in factors.items()},
        biases,
        digest,
    )


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} holds no {DESCRIPTION}, so it holds no adapters.", "Name a run, or its folder of adapters."
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / DESCRIPTION} cannot be read: {error}.", "Copy the folder again.") from error
    if not isinstance(settings, dict) or settings.get("peft_type") != "LORA":
        raise ConfigError(f"The adapters in {folder} are no LoRA adapters.", "Only those can be merged.")
    special = [name for name, plain in PLAIN.items() if settings.get(name, plain) not in (plain, None)]
    if special:
        raise ConfigError(
            f"The adapters in {folder} are no plain LoRA: they set {', '.join(special)}.",
            "Merge them with the program that trained them.",
        )
    if not (isinstance(settings.get("r"), int) and isinstance(settings.get("lora_alpha"), int | float)):
        raise ConfigError(f"{folder / DESCRIPTION} does not state r and lora_alpha.", "Copy the folder again.")
    return settings


def _factors(
    folder: Path, module: str, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], rank: int
) -> Factors:
    if set(names) == {"A", "B"}:
        down, up = shapes[names["A"]], shapes[names["B"]]
        if len(down) == len(up) == 2 and down[0] == up[1] == rank:
            return Factors(names["A"], names["B"], (up[0], down[1]))
    raise ConfigError(
        f"The adapter of {module} in {folder} is not whole, or not of rank {rank}.",
        "Copy the folder again, with every file in it.",
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
