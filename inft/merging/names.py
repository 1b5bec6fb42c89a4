"""Which parameter of the model a tensor of a checkpoint becomes: older checkpoints name them otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, dot_natural_key, rename_source_key


@dataclass(frozen=True)
class Place:
    """Where a tensor goes.

    Attributes:
        parameter: its name in the model; None = transformers does not load the tensor.
        whole: whether the parameter is the tensor as it is, and not made of several or of a part.
    """

    parameter: str | None
    whole: bool = True


def places(model: PreTrainedModel, tensors: Iterable[str]) -> dict[str, Place]:
    """Where each of the tensors goes, by the rules by which transformers itself loads a checkpoint.

    Args:
        model: of the checkpoint's architecture; its weights are not looked at.
        tensors: names in the checkpoint's files.
    """
    rules = get_model_conversion_mapping(model)
    renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
    converters = [rule for rule in rules if isinstance(rule, WeightConverter)]
    parameters = model.state_dict()
    prefix = model.base_model_prefix

    def place(tensor: str) -> Place:
        found, converted = rename_source_key(tensor, renamings, converters, prefix, parameters)
        if found not in parameters and tensor in parameters:
            # As in transformers: the new name of something that another tensor had been renamed to.
            found, converted = rename_source_key(tensor, [], [], prefix, parameters)
        return Place(found, converted is None) if found in parameters else Place(None)

    # Some rules hold from the first name on that they apply to, in this order.
    return {tensor: place(tensor) for tensor in sorted(tensors, key=dot_natural_key)}
