"""Which parameters a run of one model and mode never reads, because they are another's."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from inft.config import Config
from inft.params import FamilyName, Mode
from inft.profiles import FieldInfo
from inft_tui.launch.catalogue import FAMILIES, MODES

_ANY: tuple[Mode, ...] = MODES
_READ_BY: dict[str, tuple[FamilyName, tuple[Mode, ...]]] = {
    "basic.llama_model_name": ("llama32", _ANY),
    "basic.llama_processor_name": ("llama32", _ANY),
    "basic.aya_model_name": ("aya", _ANY),
    "basic.aya_processor_name": ("aya", _ANY),
    "lora.advanced_target_modules": ("llama32", ("advanced",)),
    "lora.aya_advanced_target_modules": ("aya", ("advanced",)),
}
"""What one model reads alone, and in which modes; all folders that are written to are such, too."""


def is_read(info: FieldInfo, config: Config) -> bool:
    """Whether a run of this configuration reads the parameter at all."""
    if info.key in _READ_BY:
        family, modes = _READ_BY[info.key]
        return config.family == family and config.mode in modes
    return info.key in folder_keys(config) or all(
        info.key not in folder_keys(replace(config, family=family, mode=mode))
        for family, mode in product(FAMILIES, MODES)
    )


def folder_keys(config: Config) -> tuple[str, str]:
    """The parameters that say where its checkpoints and its final adapters go."""
    return config.output_dir_key, config.best_model_dir_key
