"""Where a corpus comes from: the hub, a saved dataset, parquet files, JSONL and picture files, the bundled demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inft.data.rows import ScannableCorpus
from inft.data.sources.columns import ColumnNames
from inft.errors import ConfigError, DataError
from inft.params import MUNIChusLoadConfig
from inft.project import demo_folder, inside

OpenProgress = Callable[[str, int, int], None]
"""Called with (language, languages done, languages in all) while a source is opened; once more at the end."""


def open_corpus(
    config: MUNIChusLoadConfig, *, root: Path, split: str, on_progress: OpenProgress | None = None
) -> ScannableCorpus:
    """The split's rows in all configured languages, languages in alphabetical order.

    Args:
        config: source, dataset_id, path, columns and languages are used.
        root: the folder that a relative `data.path` starts at.
        split: name of the split.
        on_progress: told before each language of a hub dataset is fetched, and when all are.

    Raises:
        ConfigError: data.path is missing or leaves `root`; a column mapping, language or split that is no name.
        DataError: the folder, split, a language or a column is missing, or a file is damaged.
        HubError: the hub dataset cannot be fetched.
    """
    names = ColumnNames.from_mapping(config.columns)
    languages = tuple(sorted(set(config.languages)))
    for key, name in (("data.split", split), *(("data.languages", language) for language in languages)):
        # Both become parts of paths.
        if name != Path(name).name or name == "..":
            raise ConfigError(f"{key}: {name!r} is not a name.", "Give a plain name such as 'train' or 'en'.")
    if config.source == "hub":
        from inft.data.sources.hub import open_hub

        return open_hub(config.dataset_id, languages, split, names, on_progress or _silent)
    folder = _folder(config, root)
    if config.source == "saved":
        from inft.data.sources.saved import open_saved

        return open_saved(folder, languages, split, names)
    if config.source == "parquet":
        from inft.data.sources.parquet import open_parquet

        return open_parquet(folder, languages, split, names)
    from inft.data.sources.jsonl import open_jsonl

    return open_jsonl(folder, languages, split, names)


def _folder(config: MUNIChusLoadConfig, root: Path) -> Path:
    if config.source == "demo":
        return demo_folder()
    if config.path is None:
        raise ConfigError(
            f"data.source is {config.source} but data.path is none.", "Set data.path to the folder of the corpus."
        )
    folder = inside(root, config.path, "data.path")
    if not folder.is_dir():
        raise DataError(f"There is no corpus folder {folder}.", "Set data.path to the folder of the corpus.")
    return folder


def _silent(language: str, done: int, total: int) -> None:
    """Nobody listens."""
