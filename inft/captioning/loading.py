"""Loads the model that a person means, once it is known that its parts belong together."""

from __future__ import annotations

import torch

from inft.adapters import files
from inft.adapters.files import WEIGHTS, Description, place_of, read_description
from inft.adapters.loading import load_with_adapters
from inft.captioning.captioner import CaptionModel
from inft.captioning.chosen import ChosenModel
from inft.errors import ConfigError
from inft.models.adapters import list_linear_modules, skeleton
from inft.models.checkpoint import Checkpoint, Progress, architecture
from inft.models.family import Family
from inft.runs.bases import BaseIdentity, tensor_shapes


def check_base(chosen: ChosenModel, base: BaseIdentity) -> None:
    """Refuses adapters on another base than the one that they were trained on.

    Raises:
        ConfigError: they say which it was, and it is another one.
    """
    if chosen.adapters is not None:
        stated = read_description(chosen.adapters).base_name
        files.check_base(f"in {chosen.adapters}", base, chosen.trained_on, stated)


def check_adapters(chosen: ChosenModel, family: Family) -> None:
    """Refuses adapters that are not for a model like the base; no weights are read.

    Raises:
        ConfigError: they adapt what the base does not have, or has in another size, or their files disagree.
    """
    if chosen.adapters is None:
        return
    rank = _of_one_rank(chosen).rank
    base = skeleton(architecture(chosen.config, family, chosen.root))
    layers = list_linear_modules(base)
    others = {name: tuple(parameter.shape) for name, parameter in base.named_parameters()}
    for key, shape in tensor_shapes(chosen.adapters / WEIGHTS).items():
        place = place_of(key)
        due = layers.get(place.path)
        if not place.factor:
            fits = others.get(place.path) == shape
        elif due is None:
            fits = False
        else:
            fits = shape == ((rank, due[0]) if place.factor == "A" else (due[1], rank))
        if not fits:
            known = due is not None or place.path in others
            reason = f"their {place.path} is of another size or rank" if known else f"it has no {place.path}"
            raise ConfigError(
                f"The adapters in {chosen.adapters} are not for the {family.title} in "
                f"{chosen.config.basic.model_path or chosen.config.basic.model_source}: {reason}.",
                "Name the profile of the family and the base that they were trained on (--profile).",
            )


def load_model(
    chosen: ChosenModel, family: Family, checkpoint: Checkpoint, *, device: torch.device, progress: Progress
) -> CaptionModel:
    """The base with its adapters, as they were trained, or the whole model.

    Raises:
        ConfigError: something cannot be read.
    """
    return load_with_adapters(chosen.config, family, checkpoint, chosen.adapters, device=device, progress=progress)


def _of_one_rank(chosen: ChosenModel) -> Description:
    """What lies beside the adapters.

    Raises:
        ConfigError: it cannot be read, or they are of another kind.
    """
    assert chosen.adapters is not None
    description = read_description(chosen.adapters)
    if description.settings.get("rank_pattern"):
        raise ConfigError(
            f"The adapters in {chosen.adapters} are no LoRA adapters of one rank.",
            "Name adapters that a run of ours has made.",
        )
    return description
