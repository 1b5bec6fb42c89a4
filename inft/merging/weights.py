"""W + scale B A for every adapted layer, rounded once to bf16; all other weights as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from inft.errors import ConfigError, disk_error
from inft.merging.lora import Adapters, Factors
from inft.merging.names import places
from inft.merging.shards import Shard, ShardWriter, StoredTensor, write_index

Progress = Callable[[int, int], None]
"""Called with the bytes written and those in all."""


@dataclass(frozen=True)
class Plan:
    """What is done to which tensor of a checkpoint.

    Attributes:
        shards: its files.
        factors: of the adapters, by the name of the tensor that they are added to.
        biases: names in the adapters' file, by the name of the tensor that they replace.
    """

    shards: tuple[Shard, ...]
    factors: Mapping[str, Factors]
    biases: Mapping[str, str]

    @property
    def written_bytes(self) -> int:
        """How many bytes the merged weights take."""
        return sum(shard.written_bytes for shard in self.shards)


def plan_merge(shards: Sequence[Shard], adapters: Adapters, model: PreTrainedModel) -> Plan:
    """Which tensors the adapters belong to.

    Args:
        shards: files of the base.
        adapters: what is merged into it.
        model: of the base's architecture; its weights are not looked at.

    Raises:
        ConfigError: some of them belong to no tensor, to a part of one, or to one of another shape.
    """
    tensors = {tensor.name: tensor for shard in shards for tensor in shard.tensors}
    holders: dict[str, list[str]] = {}
    for name, place in places(model, tensors).items():
        if place.parameter is not None:
            holders.setdefault(place.parameter, []).append(name if place.whole else "")
    folder = shards[0].path.parent

    def holder(parameter: str, shape: tuple[int, ...]) -> StoredTensor:
        # Adapters of another version of transformers may name a parameter as the checkpoint does.
        found = holders.get(places(model, [parameter])[parameter].parameter or "", [])
        if len(found) == 1 and found[0]:
            tensor = tensors[found[0]]
            if tensor.shape == shape:
                return tensor
            raise ConfigError(
                f"The adapters in {adapters.folder} are for a {parameter} of shape {list(shape)}, and the one in "
                f"{folder} has {list(tensor.shape)}.",
                "These adapters were trained on another model; name the profile or the run that they belong to.",
            )
        if found:
            raise ConfigError(
                f"{parameter}, which the adapters change, is not stored as one tensor in {folder}.",
                "Save the base once with save_pretrained of the installed transformers, and merge into that.",
            )
        raise ConfigError(
            f"The adapters in {adapters.folder} change {parameter}, and the model in {folder} has no such weight.",
            "These adapters were trained on another model; name the profile or the run that they belong to.",
        )

    factors = {}
    for module, one in adapters.factors.items():
        factors[holder(f"{module}.weight", one.shape).name] = one
    biases = {holder(path, bias.shape).name: bias.tensor for path, bias in adapters.biases.items()}
    return Plan(tuple(shards), factors, biases)


def write_merged(plan: Plan, adapters: Adapters, folder: Path, on_progress: Progress) -> None:
    """Writes the merged weights into `folder`, in files and under names as the base has them.

    What is in memory at a time is one tensor and, in fp32, the adapters' product for it.

    Raises:
        DiskError: there is no room.
    """
    done, total = 0, plan.written_bytes
    for shard in plan.shards:
        target = folder / shard.path.name
        try:
            with target.open("wb") as file:
                writer = ShardWriter(file, shard.tensors)
                for tensor, values in zip(shard.tensors, shard.read(), strict=True):
                    if (factors := plan.factors.get(tensor.name)) is not None:
                        values = adapters.delta(factors).add_(values)
                    elif (bias := plan.biases.get(tensor.name)) is not None:
                        values = adapters.tensor(bias)
                    writer.put(values)
                    done += tensor.written_bytes
                    on_progress(done, total)
                writer.done()
        except OSError as error:
            raise disk_error(error, error.filename or target) from error
    write_index(folder, plan.shards)
