"""The recipes that benchmarks compare: the guide's, and profiles of ours with further settings."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from inft.config import Config
from inft.params import FamilyName
from inft.profiles import resolve

GUIDE = "guide"

PROFILES: dict[str, dict[FamilyName, str]] = {
    GUIDE: {"aya": "aya_basic", "llama32": "llama_basic"},
    "plain": {"aya": "aya_basic", "llama32": "llama_basic"},
    "fast": {"aya": "fast_aya", "llama32": "fast_llama"},
    "fast-language": {"aya": "fast_aya", "llama32": "fast_llama"},
    "small": {"aya": "small_aya", "llama32": "small_llama"},
}
SETTINGS = {"fast-language": ("lora.scope=language",)}

TINY_SETTINGS = ("data.num_workers=0",)
"""The few cores that a tiny model is for have better things to do than to start workers."""

EFFECTIVE_BATCH, TINY_EFFECTIVE_BATCH = 16, 2


@dataclass(frozen=True)
class Recipe:
    """What is measured.

    Attributes:
        text: as it stands on the command line: NAME or NAME+KEY=VALUE+KEY=VALUE.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Reads one.

        Raises:
            argparse.ArgumentTypeError: there is no such recipe.
        """
        recipe = cls(text)
        if recipe.name not in PROFILES:
            raise argparse.ArgumentTypeError(f"no recipe {recipe.name!r}; there are {', '.join(PROFILES)}")
        if recipe.name == GUIDE and recipe.text != GUIDE:
            raise argparse.ArgumentTypeError("the guide's recipe takes no settings; `plain` does")
        return recipe

    @property
    def name(self) -> str:
        """Without its settings."""
        return self.text.partition("+")[0]

    @property
    def settings(self) -> tuple[str, ...]:
        """What differs from the profile."""
        return (*SETTINGS.get(self.name, ()), *self.text.split("+")[1:])

    def config(self, family: FamilyName, *, tiny: bool, steps: int, further: tuple[str, ...] = ()) -> Config:
        """The parameters of a run of so many steps of 16 rows (tiny: 2), each of which is logged.

        Of the guide's recipe they say what is trained; how is not theirs to say.
        """
        common = TINY_SETTINGS if tiny else ()
        config = resolve(PROFILES[self.name][family], [*common, *self.settings, *further]).config
        rows = effective_batch(tiny)
        micro = min(config.data.batch_size, rows)
        sft = replace(config.sft, gradient_accumulation_steps=rows // micro, max_steps=steps, logging_steps=1)
        return replace(config, sft=sft, data=replace(config.data, batch_size=micro))


def effective_batch(tiny: bool) -> int:
    """Rows per optimiser step."""
    return TINY_EFFECTIVE_BATCH if tiny else EFFECTIVE_BATCH


def parse_recipes(text: str) -> list[Recipe]:
    """Reads several, commas between them."""
    return [Recipe.parse(one) for one in text.split(",")]
