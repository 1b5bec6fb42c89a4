"""What a folder of adapters holds: the two factors of each adapted layer, and biases that were trained along."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from inft.adapters.files import WEIGHTS, Description, adapters_digest, place_of, read_description
from inft.errors import ConfigError

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
class Bias:
    """A bias that was trained along.

    Attributes:
        tensor: its name in the file.
        shape: of it.
    """

    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Adapters:
    """The content of a folder of adapters; its tensors are read when they are needed.

    Attributes:
        folder: where they lie.
        base_name: what their configuration calls the base: a hub id or a folder. Empty = it does not say.
        scale: alpha / r, or alpha / sqrt(r) where they were trained so.
        factors: by the path of the adapted module.
        biases: by the path of the parameter that they replace.
        digest: what `adapters_digest` gives.
    """

    folder: Path
    base_name: str
    scale: float
    factors: Mapping[str, Factors]
    biases: Mapping[str, Bias]
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
    description = _described(folder)
    rank = description.rank
    factors: dict[str, dict[str, str]] = {}
    biases: dict[str, Bias] = {}
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        digest = adapters_digest(folder)
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"The adapters in {folder} cannot be read: {error}.", "Copy the folder again, with every file in it."
        ) from error
    for name, shape in shapes.items():
        place = place_of(name)
        if place.factor in ("A", "B"):
            factors.setdefault(place.path, {})[place.factor] = name
        elif not place.factor and place.path.endswith(".bias"):
            biases[place.path] = Bias(name, shape)
        else:
            raise ConfigError(
                f"{folder / WEIGHTS} holds {name}, which is neither a factor of LoRA nor a bias.",
                "Merge these adapters with the program that trained them.",
            )
    return Adapters(
        folder,
        description.base_name,
        description.alpha / (math.sqrt(rank) if description.settings.get("use_rslora") else rank),
        {module: _factors(folder, module, names, shapes, rank) for module, names in factors.items()},
        biases,
        digest,
    )


def _described(folder: Path) -> Description:
    description = read_description(folder)
    special = [name for name, plain in PLAIN.items() if description.settings.get(name, plain) not in (plain, None)]
    if special:
        raise ConfigError(
            f"The adapters in {folder} are no plain LoRA: they set {', '.join(special)}.",
            "Merge them with the program that trained them.",
        )
    return description


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
