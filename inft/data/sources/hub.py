"""A dataset of the Hugging Face hub, one subset per language, in the cache that datasets keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
from datasets.exceptions import DatasetsError
from huggingface_hub import auth_check
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import httpx, validate_repo_id  # type: ignore[attr-defined]  # public, but listed at run time

from inft.data.sources.arrow_dataset import DatasetPart
from inft.data.sources.columns import ColumnNames
from inft.data.sources.folders import PictureFolder
from inft.data.sources.parts import PartedCorpus
from inft.errors import DISK_ERRNOS, ConfigError, HubError, InftError, UnknownSplitError, disk_error
from inft.hub import hub_error

UNREACHABLE = (ConnectionError, TimeoutError, httpx.TransportError)
"""No answer came: no network, offline mode, a name that does not resolve, a proxy that refuses."""


def open_hub(
    dataset_id: str,
    languages: Sequence[str],
    split: str,
    names: ColumnNames,
    on_progress: Callable[[str, int, int], None],
) -> PartedCorpus:
    """The split of each language's subset, downloaded where the cache lacks it.

    Args:
        dataset_id: hub id.
        languages: subsets.
        split: split of each.
        names: the columns.
        on_progress: told (language, languages done, languages in all) before each one and at the end.

    Raises:
        ConfigError: data.dataset_id cannot be a hub id.
        HubError: the dataset cannot be fetched, with what to do about it.
        DataError: a split or column is missing.
        DiskError: the cache's disk is full.
    """
    try:
        validate_repo_id(dataset_id)
    except HFValidationError:
        raise ConfigError(
            f"data.dataset_id: {dataset_id!r} cannot be a hub id.", "Write it as owner/name, like tharindu/MUNIChus."
        ) from None
    # Picture paths in a hub dataset are absolute ones of the cache; a relative one cannot be told where to start.
    cache = Path(datasets.config.HF_DATASETS_CACHE)
    parts = []
    for done, language in enumerate(languages):
        on_progress(language, done, len(languages))
        dataset = _load(dataset_id, language, split)
        name = f"{dataset_id} {language} {split}"
        parts.append(DatasetPart(dataset, name, language, languages, names, PictureFolder(cache, cache)))
    on_progress(languages[-1], len(languages), len(languages))
    return PartedCorpus(parts)


def _load(dataset_id: str, language: str, split: str) -> datasets.Dataset:
    try:
        dataset = datasets.load_dataset(dataset_id, language, split=split)
    except UNREACHABLE as error:
        raise hub_error(error, "dataset", dataset_id) from error
    except ValueError as error:
        raise _unknown_name(dataset_id, language, split, error) from error
    except (OSError, DatasetsError) as error:
        raise _disk_full(error) or _refused(dataset_id, error) or _not_prepared(dataset_id, language, error) from error
    assert isinstance(dataset, datasets.Dataset)
    return dataset


def _disk_full(error: Exception) -> InftError | None:
    for cause in (error, error.__cause__):
        if isinstance(cause, OSError) and cause.errno in DISK_ERRNOS:
            return disk_error(cause, datasets.config.HF_DATASETS_CACHE)
    return None


def _refused(dataset_id: str, error: Exception) -> InftError | None:
    """Why the hub refused, if that is what happened.

    datasets puts most refusals into exceptions of its own and drops what they came from, so the hub is asked once more,
    for access alone.
    """
    try:
        auth_check(dataset_id, repo_type="dataset")
    except (HfHubHTTPError, *UNREACHABLE) as refusal:
        return hub_error(refusal, "dataset", dataset_id)
    return hub_error(error, "dataset", dataset_id) if isinstance(error, HfHubHTTPError) else None


def _unknown_name(dataset_id: str, language: str, split: str, error: ValueError) -> InftError:
    """A `ValueError` of datasets is most often a subset or split that is not there."""
    try:
        subsets = datasets.get_dataset_config_names(dataset_id)
        if language not in subsets:
            return HubError(
                f"The dataset {dataset_id} has no subset '{language}'; it has {', '.join(subsets)}.",
                "Correct data.languages.",
            )
        splits = datasets.get_dataset_split_names(dataset_id, language)
        if split not in splits:
            return UnknownSplitError(
                f"The dataset {dataset_id} ({language}) has no split '{split}'; it has {', '.join(splits)}.",
                "Set data.split (or data.eval_split) to one of these.",
            )
    except UNREACHABLE as unreachable:
        return hub_error(unreachable, "dataset", dataset_id)
    except (ValueError, OSError, DatasetsError):
        pass  # the names cannot be had; the first error says more
    return _not_prepared(dataset_id, language, error)


def _not_prepared(dataset_id: str, language: str, error: Exception) -> HubError:
    return HubError(
        f"The dataset {dataset_id} ({language}) cannot be prepared: {_first_line(error.__cause__ or error)}",
        "Free disk space if that is the reason; else delete its folder in the Hugging Face cache and try again.",
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
