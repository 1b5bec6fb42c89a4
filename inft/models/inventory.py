"""Which linear layers a model has and which of them a configuration adapts: the guide's `list_linear_modules`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from transformers import PreTrainedConfig

from inft.config import Config
from inft.errors import ConfigError
from inft.models.adapters import TrainableTable, add_adapters, list_linear_modules, skeleton, trainable_table
from inft.models.family import Family
from inft.models.targets import GROUPS


@dataclass(frozen=True)
class LinearModule:
    """One linear layer of the base."""

    path: str
    inputs: int
    outputs: int
    group: str
    """language, vision, projector or other."""
    adapter: bool
    """Whether the configuration puts an adapter on it."""


@dataclass(frozen=True)
class Inventory:
    """All linear layers of a base that can take an adapter, and what would be trained."""

    modules: tuple[LinearModule, ...]
    table: TrainableTable | None
    """None when the configuration's adapters cannot be made."""
    problem: ConfigError | None
    """Why they cannot."""

    def lines(self) -> list[str]:
        """The layers as a table, one line for those that differ in their layer number alone."""
        rows = [
            (path, f"{first.inputs}x{first.outputs}", f"x{count}", first.group, "adapter" if first.adapter else "-")
            for path, first, count in merge(self.modules)
        ]
        widths = [max((len(cell) for cell in column), default=0) for column in zip(*rows, strict=True)]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

    def document(self) -> dict[str, Any]:
        """Everything as JSON values, each layer by itself."""
        table = self.table
        return {
            "modules": [vars(module) for module in self.modules],
            "trainable": table
            and {
                "groups": [vars(row) for row in table.rows],
                "trainable": table.trainable,
                "total_parameters": table.total_parameters,
                "unmatched": list(table.unmatched),
            },
        }


def take_inventory(architecture: PreTrainedConfig, config: Config, family: Family) -> Inventory:
    """The layers of `architecture` under the targets and scope of `config`, without loading a weight."""
    model = skeleton(architecture)
    linears = list_linear_modules(model)
    table, problem, adapted = None, None, frozenset[str]()
    try:
        adapter_model, targets = add_adapters(model, config, family)
    except ConfigError as error:
        # Somebody whose targets match nothing needs the list most of all.
        problem = error
    else:
        table, adapted = trainable_table(adapter_model, targets, family), frozenset(targets.modules)
    modules = [
        LinearModule(path, inputs, outputs, family.group(path), path in adapted)
        for path, (inputs, outputs) in linears.items()
    ]
    modules.sort(key=lambda module: GROUPS.index(module.group))
    return Inventory(tuple(modules), table, problem)


def merge(modules: Iterable[LinearModule]) -> list[tuple[str, LinearModule, int]]:
    """Modules that are alike but for their layer number: (path with all their numbers, the first, how many).

    The layer number is the first part of a path that is a number.
    """
    alike: dict[tuple[object, ...], list[tuple[int | None, LinearModule]]] = {}
    for module in modules:
        before, number, after = _split(module.path)
        key = (before, after, number is None, module.inputs, module.outputs, module.group, module.adapter)
        alike.setdefault(key, []).append((number, module))
    merged = []
    for members in alike.values():
        first = members[0][1]
        before, _, after = _split(first.path)
        numbers = [number for number, _ in members if number is not None]
        merged.append((f"{before}{ranges(numbers)}{after}" if numbers else first.path, first, len(members)))
    return merged


def ranges(numbers: Sequence[int]) -> str:
    """Numbers as runs, in braces unless there is but one.

    >>> ranges([0, 1, 2, 4, 5, 7]), ranges([3])
    ('{0..2,4,5,7}', '3')
    """
    ordered = sorted(numbers)
    if len(ordered) == 1:
        return str(ordered[0])
    starts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(ordered)) if b != a + 1), len(ordered)]
    runs = [ordered[start:end] for start, end in pairwise(starts)]
    return "{" + ",".join(f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs) + "}"


def _split(path: str) -> tuple[str, int | None, str]:
    """A path around its layer number; (path, None, "") without one."""
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdecimal():
            return ".".join([*parts[:place], ""]), int(part), ".".join(["", *parts[place + 1 :]])
    return path, None, ""
