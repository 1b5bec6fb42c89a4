"""What decides how long the rows are, found in milliseconds: a key that changes when any of it does.

Corpora and processors are told apart by what the file system says of their files (name, size, time of the last change)
and by the hub's commits. Picture files are not among them: `inft.forecast.pictures` has these.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

from inft.config import Config
from inft.data.prompt import INSTRUCTION, LAYOUT_VERSION
from inft.errors import InftError
from inft.hub_cache import cached_snapshot, datasets_cache_dir
from inft.params import MUNIChusLoadConfig
from inft.project import demo_folder, inside

LIBRARIES = ("transformers", "tokenizers", "pillow")
PROCESSOR_SUFFIXES = (".json", ".jinja", ".model", ".txt")
TINY_RECIPE = ("chat_templates.py", "tiny.py", "tiny_description.py")
"""What the tiny checkpoints are made by, in `inft/models`; beside that, they are learnt from the bundled corpus."""

Stamp: TypeAlias = tuple[str, int, int]
"""A file's name, its size in bytes and when it was changed last, in ns."""


def lengths_key(config: Config, root: Path, split: str) -> str | None:
    """Names the lengths of a split's rows; None when corpus or processor are not (all) on this machine.

    Args:
        config: what chooses the rows, what shortens them and which processor they go through.
        root: the project's root.
        split: name of the split.
    """
    data = config.data
    try:
        corpus = _corpus(data, root, split)
        processor = _processor(config, root)
    except (InftError, OSError):
        return None  # whoever opens it says what is wrong
    if not corpus or not processor:
        return None
    languages = sorted(set(data.languages))
    facts = {
        "layout": LAYOUT_VERSION,
        "instruction": INSTRUCTION,
        "libraries": [_version(name) for name in LIBRARIES],
        "family": config.family,
        "processor": processor,
        "source": data.source,
        "corpus": corpus,
        "split": split,
        "columns": dict(data.columns),
        "languages": [(language, data.language_names.get(language)) for language in languages],
        "rows": (data.remove_empty, data.max_rows_per_lang, data.seed),
        "limits": (config.basic.max_length, data.article_chars, data.article_tokens, data.include_title),
    }
    if data.eval_fraction is not None and split == data.split:
        facts["held out"] = data.eval_fraction
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _corpus(data: MUNIChusLoadConfig, root: Path, split: str) -> list[Stamp]:
    languages = sorted(set(data.languages))
    if data.source == "hub":
        prepared = datasets_cache_dir() / _cache_name(data.dataset_id)
        # One folder per commit that was prepared, in one per subset.
        subsets = [_stamps((prepared / language).glob("*/*/dataset_info.json"), prepared) for language in languages]
        return [stamp for subset in subsets for stamp in subset] if all(subsets) else []
    if data.source == "demo":
        folder = demo_folder()
    elif data.path is None:
        return []
    else:
        folder = inside(root, data.path, "data.path")
    places = [folder, *(folder / language for language in languages)]
    files = _stamps(_data_files(data.source, places, split), folder)
    return [(str(folder), 0, 0), *files] if files else []


def _cache_name(dataset_id: str) -> str:
    """What `datasets` calls a dataset's folder.

    >>> _cache_name("tharindu/MUNIChus")
    'tharindu___muni_chus'
    """
    *owner, name = dataset_id.split("/")
    snake = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)).lower()
    return "___".join([*owner, snake])


def _data_files(source: str, places: Iterable[Path], split: str) -> Iterator[Path]:
    """The files that rows may be read from, those of pictures left out."""
    for place in places:
        if source == "parquet":
            yield from place.glob("*.parquet")
            yield from (place / split).glob("*.parquet")
        elif source == "saved":
            for folder in (place, place / split):
                yield from folder.glob("*.arrow")
                yield folder / "state.json"
        else:
            yield place / f"{split}.jsonl"


def _processor(config: Config, root: Path) -> list[Stamp]:
    basic = config.basic
    if basic.model_source == "tiny":
        recipe = Path(__file__).parents[1] / "models"
        return _stamps([*(recipe / name for name in TINY_RECIPE), demo_folder() / "train.jsonl"], recipe)
    if basic.model_source == "hub":
        revision = basic.revision if config.processor_name == config.model_name else None
        snapshot = cached_snapshot(config.processor_name, revision)
        return [] if snapshot is None else [(f"{config.processor_name}@{snapshot.name}", 0, 0)]
    folder = inside(root, str(basic.model_path), "basic.model_path")
    files = [path for path in folder.iterdir() if path.suffix in PROCESSOR_SUFFIXES]
    return [(str(folder), 0, 0), *_stamps(files, folder)]


def _stamps(paths: Iterable[Path], start: Path) -> list[Stamp]:
    """Those of the files that are there, in order of their names."""
    stamps = []
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        stamps.append((os.path.relpath(path, start), found.st_size, found.st_mtime_ns))
    return sorted(stamps)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
