"""What a profile takes from the hub, and whether all of it has been fetched before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from inft.config import Config
from inft.hub_cache import cached_snapshot, datasets_cache_dir
from inft.models.checkpoint_files import MODEL_SUFFIXES, PROCESSOR_SUFFIXES, SECOND_COPY

Kind: TypeAlias = Literal["model", "dataset"]
KINDS: tuple[Kind, ...] = ("model", "dataset")

Part: TypeAlias = Literal["model", "processor", "dataset"]
"""What a profile takes a repository for."""


@dataclass(frozen=True)
class Repository:
    """One thing on the hub.

    Attributes:
        kind: model or dataset.
        repo_id: name or owner/name.
        revision: branch, tag or commit; None = its default branch.
        weights: whether a model's weights are wanted, or its processor only.
        subsets: of a dataset.
        splits: of each subset.
    """

    kind: Kind
    repo_id: str
    revision: str | None = None
    weights: bool = True
    subsets: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()

    @property
    def part(self) -> Part:
        """What it is taken for."""
        return self.kind if self.kind == "dataset" or self.weights else "processor"

    def wants(self, path: str) -> bool:
        """Whether a run fetches the file."""
        if path.startswith(SECOND_COPY):
            return False
        if self.kind == "model":
            return path.endswith(MODEL_SUFFIXES if self.weights else PROCESSOR_SUFFIXES)
        return path.endswith(".parquet") and any(name in path for name in self.splits) and self._of_subsets(path)

    def _of_subsets(self, path: str) -> bool:
        """Subsets that are told by a folder; where there are none, every file counts."""
        folder = path.split("/")[-2] if "/" in path else ""
        return folder in self.subsets or folder in ("", "data")


def repositories(config: Config) -> tuple[Repository, ...]:
    """What `config` takes from the hub, in the order in which a run asks for it."""
    found: list[Repository] = []
    basic, data = config.basic, config.data
    if basic.model_source == "hub":
        found.append(Repository("model", config.model_name, basic.revision))
        if config.processor_name != config.model_name:
            found.append(Repository("model", config.processor_name, weights=False))
    if data.source == "hub":
        splits = tuple(split for split in (data.split, data.eval_split) if split is not None)
        found.append(Repository("dataset", data.dataset_id, subsets=data.languages, splits=splits))
    return tuple(found)


def is_cached(repository: Repository) -> bool:
    """Whether a run finds all of it in the caches, so that the hub's answer does not matter.

    What this user may not read does not count as there, which os.path says and pathlib would raise.
    """
    if repository.kind == "dataset":
        return _is_dataset_cached(repository)
    folder = cached_snapshot(repository.repo_id, repository.revision)
    if folder is None or not os.path.isfile(folder / "tokenizer.json"):
        return False
    return not repository.weights or (os.path.isfile(folder / "config.json") and are_weights_whole(folder))


def downloaded_bytes(repository: Repository, paths: Sequence[str]) -> int:
    """What of these files is in the cache already, in bytes."""
    folder = cached_snapshot(repository.repo_id, repository.revision, kind=repository.kind)
    if folder is None:
        return 0
    return sum(os.path.getsize(folder / path) for path in paths if os.path.isfile(folder / path))


def are_weights_whole(folder: Path) -> bool:
    """Whether all weight files are there that the checkpoint's index names; without an index, any."""
    index = folder / "model.safetensors.index.json"
    if not os.path.isfile(index):
        return any(map(os.path.isfile, folder.glob("*.safetensors")))
    try:
        shards = json.loads(index.read_bytes())["weight_map"].values()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    # A file that was only begun has no name in a snapshot yet.
    return all(isinstance(shard, str) and os.path.isfile(folder / shard) for shard in shards)


def _is_dataset_cached(repository: Repository) -> bool:
    """Whether `datasets` has prepared every split of every subset."""
    owner, _, name = repository.repo_id.rpartition("/")
    folder = datasets_cache_dir() / (f"{owner}___{_snake(name)}" if owner else _snake(name))
    return bool(repository.subsets) and all(
        any(_has_splits(prepared, repository.splits) for prepared in _prepared(folder / subset))
        for subset in repository.subsets
    )


def _prepared(folder: Path) -> Iterator[Path]:
    """The folders in which a subset was prepared to its end, one per version and state of the hub's files."""
    return (path.parent for path in folder.glob("*/*/dataset_info.json"))


def _has_splits(folder: Path, splits: Sequence[str]) -> bool:
    return all(any(folder.glob(f"*-{split}*.arrow")) for split in splits)


def _snake(name: str) -> str:
    """The name of a dataset's folder: `MUNIChus` has `muni_chus`.

    Source: datasets 5.2, naming.camelcase_to_snakecase.
    """
    broken = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", broken).lower()
