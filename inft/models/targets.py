"""Where the parts of a model lie, and which of its linear layers a configuration means to adapt; no library needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inft.errors import ConfigError
from inft.params import FamilyName

GROUPS = ("language", "vision", "projector", "other")
"""The parts of a model; other = under none of the three paths of its `Layout`."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of a family's model lie: module paths inside the transformers model class.

    Every linear layer of the base lies under one of the three, but for the output head.

    Attributes:
        title: the name a person knows the family by.
    """

    title: str
    language: str
    vision: str
    projector: str

    def group(self, module_name: str) -> str:
        """The part of the model that a module path belongs to: language, vision, projector or other.

        A PEFT model's path (with `base_model.model.` before it) is understood too.
        """
        for group, prefix in (("projector", self.projector), ("vision", self.vision), ("language", self.language)):
            if f".{prefix}." in f".{module_name}.":
                return group
        return "other"


LAYOUTS: dict[FamilyName, Layout] = {
    "llama32": Layout(
        title="Llama 3.2 Vision 11B",
        language="model.language_model",
        vision="model.vision_model",
        projector="model.multi_modal_projector",
    ),
    "aya": Layout(
        title="Aya Vision 8B",
        language="model.language_model",
        vision="model.vision_tower",
        projector="model.multi_modal_projector",
    ),
}


@dataclass(frozen=True)
class Targets:
    """What the configured target names amount to on a model."""

    modules: tuple[str, ...]
    """Paths of the modules that get an adapter."""
    by_name: Mapping[str, int]
    """How many modules each configured name matched; 0 = it is not in this model."""

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Configured names that match nothing."""
        return tuple(name for name, count in self.by_name.items() if count == 0)


def find_targets(linears: Iterable[str], names: Sequence[str], scope: str, layout: Layout) -> Targets:
    """Which linear layers the names mean, as PEFT reads them: a whole path or the end of one.

    Args:
        linears: paths of all linear layers.
        names: configured targets.
        scope: "guide", or "language" to leave the vision tower out.
        layout: tells the parts of the model apart.

    Raises:
        ConfigError: nothing matches at all.
    """
    candidates = [path for path in linears if scope == "guide" or layout.group(path) != "vision"]
    matches = {name: [path for path in candidates if f".{path}".endswith(f".{name}")] for name in names}
    wanted = {path for paths in matches.values() for path in paths}
    if not wanted:
        raise ConfigError(
            f"None of the LoRA targets {', '.join(names)} is a linear layer of {layout.title} in scope {scope!r}.",
            "`inft-tui modules --profile P` lists the layers there are.",
        )
    modules = tuple(path for path in candidates if path in wanted)
    return Targets(modules, {name: len(paths) for name, paths in matches.items()})
