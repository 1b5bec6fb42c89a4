"""What a folder of adapters holds, by its files alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inft.errors import ConfigError
from inft.runs.bases import BaseIdentity, trained_on_another

DESCRIPTION = "adapter_config.json"
"""The file by which a folder of adapters is known."""

WEIGHTS = "adapter_model.safetensors"

PREFIX = "base_model.model."
"""What PEFT puts before a module's path."""


@dataclass(frozen=True)
class Description:
    """The content of `adapter_config.json` as far as LoRA of one rank goes.

    Attributes:
        rank: r.
        alpha: what the product of both factors is multiplied by, before it is divided by r.
        base_name: what the base is called: a hub id or a folder. Empty = it does not say.
        settings: everything, by PEFT's names.
    """

    rank: int
    alpha: float
    base_name: str
    settings: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Place:
    """What a tensor of the adapters belongs to.

    Attributes:
        path: of the adapted layer, or of the parameter that the tensor replaces.
        factor: "A" or "B" of that layer; empty = it replaces a parameter; anything else is no plain LoRA.
    """

    path: str
    factor: str


def place_of(key: str) -> Place:
    """Where a tensor belongs by the name that PEFT has given it.

    >>> place_of("base_model.model.model.layers.0.q_proj.lora_A.weight")
    Place(path='model.layers.0.q_proj', factor='A')

    A bias that was trained along is that of the layer, which PEFT has wrapped if it has an adapter, too.

    >>> place_of("base_model.model.model.layers.0.q_proj.base_layer.bias")
    Place(path='model.layers.0.q_proj.bias', factor='')
    """
    path, _, kind = key.removeprefix(PREFIX).partition(".lora_")
    return Place(path.replace(".base_layer.", "."), kind.removesuffix(".weight"))


def read_description(folder: Path) -> Description:
    """What lies beside the adapters in `folder`.

    Raises:
        ConfigError: there is nothing, it cannot be read, or they are no LoRA adapters.
    """
    path = folder / DESCRIPTION
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} holds no {DESCRIPTION}, so it holds no adapters.", "Name a run, or its folder of adapters."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", "Copy the folder again.") from error
    if not isinstance(settings, dict) or settings.get("peft_type") != "LORA":
        raise ConfigError(
            f"The adapters in {folder} are no LoRA adapters.", "Name adapters that a run of ours has made."
        )
    rank, alpha, base_name = (settings.get(name) for name in ("r", "lora_alpha", "base_model_name_or_path"))
    if not (isinstance(rank, int) and rank > 0 and isinstance(alpha, int | float)):
        raise ConfigError(f"{path} does not state r and lora_alpha.", "Copy the folder again.")
    return Description(rank, alpha, base_name if isinstance(base_name, str) else "", settings)


def adapters_digest(folder: Path) -> str:
    """SHA-256 of the adapters and of what says how they are applied.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in (DESCRIPTION, WEIGHTS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def check_base(title: str, found: BaseIdentity, recorded: BaseIdentity | None, base_name: str) -> None:
    """Refuses adapters on another base than the one that they were trained on.

    Args:
        title: what the adapters are called, as "of RUN" or "in FOLDER".
        found: the base at hand.
        recorded: what the run that trained them wrote down; None = nothing, then only the name is known.
        base_name: what their own description calls it.

    Raises:
        ConfigError: it is another one.
    """
    other = trained_on_another(found, recorded, base_name)
    if other is not None:
        at_hand = found.name if recorded is None else found.text
        raise ConfigError(
            f"The adapters {title} were trained on {other}, and the base here is {at_hand}.",
            "Put that base where the configuration looks for it, or name it in a profile (--profile, --set): "
            "basic.model_source, basic.model_path, basic.revision.",
        )
