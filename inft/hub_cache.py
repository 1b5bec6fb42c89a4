"""Where the hub's client has put what it fetched before; found without that client, which takes a second to import."""

from __future__ import annotations

import os
from pathlib import Path


def hub_cache_dir() -> Path:
    """The cache folder of `huggingface_hub`, by its own rules.

    `HF_HUB_CACHE` (or its older name), else `hub` in `HF_HOME`, else `~/.cache/huggingface/hub`.
    """
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        stated = os.environ.get(name)
        if stated:
            return _expanded(stated)
    return hub_home() / "hub"


def hub_home() -> Path:
    """The folder of what belongs to the hub's client: `HF_HOME`, else `~/.cache/huggingface`."""
    shared = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return _expanded(os.environ.get("HF_HOME") or os.path.join(shared, "huggingface"))


def datasets_cache_dir() -> Path:
    """Where `datasets` keeps what it prepared, by its own rules: `HF_DATASETS_CACHE`, else beside the hub's cache.

    Unlike the hub's client it puts in no variables.
    """
    shared = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
    home = os.environ.get("HF_HOME", os.path.join(shared, "huggingface"))
    return Path(os.path.expanduser(os.environ.get("HF_DATASETS_CACHE", os.path.join(home, "datasets"))))


def cached_snapshot(repo_id: str, revision: str | None, *, kind: str = "model") -> Path | None:
    """The folder of a repository's files, as far as they are in the cache; None if there is none.

    Args:
        repo_id: name or owner/name.
        revision: branch, tag or commit; None = main.
        kind: "model" or "dataset".
    """
    repository = hub_cache_dir() / "--".join([f"{kind}s", *repo_id.split("/")])
    wanted = revision or "main"
    try:
        commit = (repository / "refs" / wanted).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = wanted
    folder = repository / "snapshots" / commit
    return folder if os.path.isdir(folder) else None


def _expanded(text: str) -> Path:
    return Path(os.path.expandvars(os.path.expanduser(text)))
