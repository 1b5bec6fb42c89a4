"""The sizes of a model that its memory and its parameters follow from, read from its config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.errors import ConfigError
from inft.hub_cache import cached_snapshot
from inft.models.released import RELEASED
from inft.models.tiny_description import TILE_PIXELS, tiny_description
from inft.params import FamilyName
from inft.project import inside
from inft.wording import shown

DESCRIPTION = "config.json"


@dataclass(frozen=True)
class TextTower:
    """The language model.

    Attributes:
        layers: all of them, those that cross-attend included.
        vocabulary: rows of the output head.
        tied: whether the output head is the embedding.
        cross_layers: numbers of the layers that attend to the picture instead of the text (Llama).
        sliding_window: tokens that most layers look back; None = all.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    cross_layers: tuple[int, ...]
    sliding_window: int | None


@dataclass(frozen=True)
class VisionTower:
    """The picture's encoder.

    Attributes:
        layers: of one tile (Llama: before the global ones).
        global_layers: layers after them; 0 on Aya.
        tile_pixels: side of a tile.
        patch_pixels: side of a patch.
        output_dim: width of what the projector is given per patch.
        kept_layers: layers whose outputs are put beside the last one's; 0 on Aya.
        max_tiles: tiles that the tower runs for every picture, padded ones included; 0 = as many as there are (Aya).
        aspect_ratios: arrangements of tiles that have embeddings of their own; 0 on Aya.
        class_tokens: tokens of a tile besides its patches.
    """

    hidden: int
    intermediate: int
    layers: int
    global_layers: int
    heads: int
    tile_pixels: int
    patch_pixels: int
    output_dim: int
    kept_layers: int
    max_tiles: int
    aspect_ratios: int
    class_tokens: int

    @property
    def patches_per_tile(self) -> int:
        """Tokens of one tile in the tower: 676 on the released Aya; 1,601 with the class token on Llama."""
        return int((self.tile_pixels // self.patch_pixels) ** 2 + self.class_tokens)


@dataclass(frozen=True)
class Architecture:
    """One model.

    Attributes:
        projector_hidden: width of the projector's first layer, of which half goes on; 0 = it is one linear layer.
        downsample: patches per side that become one text token; 1 = none are merged.
    """

    family: FamilyName
    text: TextTower
    vision: VisionTower
    projector_hidden: int
    downsample: int


def find_architecture(config: Config, root: Path) -> Architecture:
    """The architecture of the checkpoint that the configuration names; nothing is fetched.

    One on the hub that is not in the cache is taken to be of the family's released architecture.

    Args:
        config: `basic.model_source` decides.
        root: the project's root, which a relative `basic.model_path` starts at.

    Raises:
        ConfigError: there is no such folder, or it describes no model of the family.
    """
    basic, family = config.basic, config.family
    if basic.model_source == "tiny":
        return architecture_of(family, tiny_description(family, TILE_PIXELS[family]))
    if basic.model_source == "folder":
        return read_architecture(family, inside(root, str(basic.model_path), "basic.model_path"))
    folder = cached_snapshot(config.model_name, basic.revision)
    if folder is None or not (folder / DESCRIPTION).is_file():
        return architecture_of(family, RELEASED[family])
    return read_architecture(family, folder)


def read_architecture(family: FamilyName, folder: Path) -> Architecture:
    """The architecture of the checkpoint in `folder`.

    Raises:
        ConfigError: the folder describes no model of the family.
    """
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "it is not JSON"
        raise ConfigError(
            f"{path} does not describe a model: {reason}.",
            "Point basic.model_path at a folder that save_pretrained or a hub download has written.",
        ) from error
    if not isinstance(description, dict):
        raise ConfigError(f"{path} does not describe a model: it is not a JSON object.", "Copy the checkpoint again.")
    return architecture_of(family, description)


def architecture_of(family: FamilyName, description: Mapping[str, object]) -> Architecture:
    """The architecture that a config.json describes.

    Values that it leaves out are the transformers class's defaults. What no checkpoint of the families has (biases of
    the text's attention, SigLIP's pooling head, pictures of other than 3 channels) is not looked at.

    Args:
        family: what it must be.
        description: the content of the file.

    Raises:
        ConfigError: it is of another family, or a size is missing or impossible.
    """
    expected = RELEASED[family]["model_type"]
    stated = description.get("model_type", expected)
    if stated != expected:
        raise ConfigError(
            f"{DESCRIPTION} describes a model of type {shown(stated)}, and family {family} is {expected!r}.",
            "Choose a profile of that family, or another checkpoint.",
        )
    return _llama(description) if family == "llama32" else _aya(description)


def _aya(description: Mapping[str, object]) -> Architecture:
    text, vision = _Values(description, "text_config"), _Values(description, "vision_config")
    # Without any vision_config, transformers takes SigLIP so400m; with one, SigLIP base for what that leaves out.
    whole = vision.absent
    hidden, heads = text.size("hidden_size", 8192), text.size("num_attention_heads", 64)
    projector = _Values(description)
    return Architecture(
        family="aya",
        text=TextTower(
            hidden=hidden,
            intermediate=text.size("intermediate_size", 22528),
            layers=text.size("num_hidden_layers", 40),
            heads=heads,
            kv_heads=text.size("num_key_value_heads", heads),
            head_dim=text.size("head_dim", hidden // heads),
            vocabulary=text.size("vocab_size", 256000),
            tied=projector.flag("tie_word_embeddings", True),
            cross_layers=(),
            sliding_window=text.size_or_none("sliding_window", 4096),
        ),
        vision=VisionTower(
            hidden=vision.size("hidden_size", 1152 if whole else 768),
            intermediate=vision.size("intermediate_size", 4304 if whole else 3072),
            layers=vision.size("num_hidden_layers", 26 if whole else 12),
            global_layers=0,
            heads=vision.size("num_attention_heads", 14 if whole else 12),
            tile_pixels=vision.size("image_size", 384 if whole else 224),
            patch_pixels=vision.size("patch_size", 14 if whole else 16),
            output_dim=vision.size("hidden_size", 1152 if whole else 768),
            kept_layers=0,
            max_tiles=0,
            aspect_ratios=0,
            class_tokens=0,
        ),
        projector_hidden=projector.size("alignment_intermediate_size", hidden),
        downsample=projector.size("downsample_factor", 2),
    )


def _llama(description: Mapping[str, object]) -> Architecture:
    text, vision = _Values(description, "text_config"), _Values(description, "vision_config")
    hidden, heads = text.size("hidden_size", 4096), text.size("num_attention_heads", 32)
    return Architecture(
        family="llama32",
        text=TextTower(
            hidden=hidden,
            intermediate=text.size("intermediate_size", 14336),
            layers=text.size("num_hidden_layers", 40),
            heads=heads,
            kv_heads=text.size("num_key_value_heads", 8),
            head_dim=hidden // heads,
            vocabulary=text.size("vocab_size", 128256),
            tied=False,  # the embedding has eight rows more than the head
            cross_layers=text.numbers("cross_attention_layers", (3, 8, 13, 18, 23, 28, 33, 38)),
            sliding_window=None,
        ),
        vision=VisionTower(
            hidden=vision.size("hidden_size", 1280),
            intermediate=vision.size("intermediate_size", 5120),
            layers=vision.size("num_hidden_layers", 32),
            global_layers=vision.size("num_global_layers", 8),
            heads=vision.size("attention_heads", 16),
            tile_pixels=vision.size("image_size", 448),
            patch_pixels=vision.size("patch_size", 14),
            output_dim=vision.size("vision_output_dim", 7680),
            kept_layers=len(vision.numbers("intermediate_layers_indices", (3, 7, 15, 23, 30))),
            max_tiles=vision.size("max_num_tiles", 4),
            aspect_ratios=vision.count("supported_aspect_ratios", 8),
            class_tokens=1,
        ),
        projector_hidden=0,
        downsample=1,
    )


class _Values:
    """The sizes of one table of a config.json, each refused by name if it is none."""

    def __init__(self, description: Mapping[str, object], table: str = "") -> None:
        values = description.get(table) if table else description
        self.absent = values is None
        if values is not None and not isinstance(values, Mapping):
            raise self._wrong(table, values, "a table")
        self._values: Mapping[str, object] = values or {}
        self._prefix = f"{table}." if table else ""

    def size(self, name: str, default: int) -> int:
        """A whole number from 1; of a pair (a picture's height and width) its first."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, Sequence) and not isinstance(value, str) and value:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
            raise self._wrong(self._prefix + name, value, "a whole number from 1")
        return value

    def size_or_none(self, name: str, default: int) -> int | None:
        """As `size`; a stated null is none."""
        return None if name in self._values and self._values[name] is None else self.size(name, default)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(self._prefix + name, value, "true or false")
        return value

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Whole numbers from 0."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(type(number) is int and number >= 0 for number in value):
            raise self._wrong(self._prefix + name, value, "a list of whole numbers")
        return tuple(value)

    def count(self, name: str, default: int) -> int:
        """How many entries a list has."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, list):
            raise self._wrong(self._prefix + name, value, "a list")
        return len(value)

    def _wrong(self, name: str, value: object, due: str) -> ConfigError:
        return ConfigError(
            f"{name} in the model's {DESCRIPTION} is {shown(value)}, not {due}.",
            "Copy or download the checkpoint again.",
        )
