"""What a model family says about itself; everything else treats the families alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transformers import PreTrainedConfig, PreTrainedModel
from transformers.image_processing_backends import PilBackend

from inft.data.collators import CaptionCollator
from inft.data.encoding import Processor
from inft.params import FamilyName


def _as_loaded(model: PreTrainedModel) -> None:
    """Nothing to correct."""


@dataclass(frozen=True)
class Family:
    """One model family.

    The three prefixes are module paths inside the transformers model class; every linear layer of the base lies under
    one of them, but for the output head.
    """

    name: FamilyName
    title: str
    """The name a person knows it by."""
    language_prefix: str
    vision_prefix: str
    projector_prefix: str
    collator: type[CaptionCollator]
    processor: type[Processor]
    image_processor: type[PilBackend]
    """Pure PIL and NumPy: the same pixels whether torchvision is installed or not."""
    released_config: Callable[[], PreTrainedConfig]
    """The released checkpoint's architecture, without its weights."""
    refused_attention: Mapping[str, str] = field(default_factory=dict)
    """Attention kernels the family cannot run, each with the reason."""
    adjust: Callable[[PreTrainedModel], None] = _as_loaded
    """Corrects the loaded model where transformers departs from the released one."""

    def group(self, module_name: str) -> str:
        """The part of the model that a module path belongs to: language, vision, projector or other.

        A PEFT model's path (with `base_model.model.` before it) is understood too.
        """
        prefixes = {"projector": self.projector_prefix, "vision": self.vision_prefix, "language": self.language_prefix}
        for group, prefix in prefixes.items():
            if f".{prefix}." in f".{module_name}.":
                return group
        return "other"


GROUPS = ("language", "vision", "projector", "other")
