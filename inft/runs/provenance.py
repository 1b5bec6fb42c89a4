"""Where a run came from: host, Python, packages and the commit of the project. Nothing here names a person."""

from __future__ import annotations

import platform
import re
from pathlib import Path

RECORDED_PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "textual",
    "inft-tui",
)

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def host_name() -> str:
    """The name of this machine."""
    return platform.node()


def python_version() -> str:
    """The running Python's version."""
    return platform.python_version()


def package_versions() -> dict[str, str | None]:
    """The installed version of every package that a result may depend on; None = not installed."""
    from importlib import metadata  # 10 ms and 2 MB that only starting a run needs

    versions: dict[str, str | None] = {}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def git_commit(root: Path) -> str | None:
    """The commit that is checked out in `root`, read from its files; None if `root` is no checkout of git.

    Whether files were changed since that commit is not looked at: it would cost a walk over the tree.
    """
    try:
        folder = _git_folder(root / ".git")
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return _commit(head)
        return _resolve(folder, head.removeprefix("ref: "))
    except (OSError, UnicodeDecodeError):
        return None


def _git_folder(entry: Path) -> Path:
    """The folder behind `.git`, which in a linked worktree or a submodule is a file that names it."""
    if entry.is_file():
        return entry.parent / entry.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
    return entry


def _resolve(folder: Path, reference: str) -> str | None:
    common = folder
    if (folder / "commondir").is_file():
        common = folder / (folder / "commondir").read_text(encoding="utf-8").strip()
    for place in (folder, common):
        if (place / reference).is_file():
            return _commit((place / reference).read_text(encoding="utf-8").strip())
    if (common / "packed-refs").is_file():
        for line in (common / "packed-refs").read_text(encoding="utf-8").splitlines():
            commit, _, name = line.partition(" ")
            if name == reference:
                return _commit(commit)
    return None


def _commit(text: str) -> str | None:
    return text if _COMMIT.fullmatch(text) else None
