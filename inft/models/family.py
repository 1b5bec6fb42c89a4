"""What a model family says about itself; everything else treats the families alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.image_processing_backends import PilBackend

from inft.data.collators import CaptionCollator
from inft.data.encoding import Processor
from inft.data.packing import PackedRows
from inft.models.targets import LAYOUTS, Layout
from inft.params import FamilyName

HiddenStates = Callable[[PreTrainedModel, PackedRows], Tensor]
"""(T, hidden) of T tokens, behind the last normalisation."""


def _as_loaded(model: PreTrainedModel) -> None:
    """Nothing to correct."""


@dataclass(frozen=True)
class Family:
    """One model family."""

    name: FamilyName
    collator: type[CaptionCollator]
    processor: type[Processor]
    image_processor: type[PilBackend]
    """Pure PIL and NumPy: the same pixels whether torchvision is installed or not."""
    released_config: Callable[[], PreTrainedConfig]
    """The released checkpoint's architecture, without its weights."""
    layers: tuple[str, ...]
    """Where its lists of layers lie, the language model's first."""
    packed_hidden_states: HiddenStates
    """The language model's last hidden states of rows that lie end to end."""
    recomputed_here: tuple[str, ...] = ()
    """Lists of layers that transformers keeps all activations of, whatever checkpointing is asked for."""
    adjust: Callable[[PreTrainedModel], None] = _as_loaded
    """Corrects the loaded model where transformers departs from the released one."""

    @property
    def layout(self) -> Layout:
        """Where the parts of its model lie."""
        return LAYOUTS[self.name]

    @property
    def title(self) -> str:
        """The name a person knows it by."""
        return self.layout.title

    def find_layers(self, model: PreTrainedModel) -> list[nn.Module]:
        """All layers of `model`."""
        return [layer for path in self.layers for layer in model.get_submodule(path).children()]

    def group(self, module_name: str) -> str:
        """The part of the model that a module path belongs to, see `Layout.group`."""
        return self.layout.group(module_name)
