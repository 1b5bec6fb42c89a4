"""The folders that a profile names: a local model, a local corpus, and outputs that another run may hold."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inft.config import Config
from inft.project import inside
from inft.readiness.check import Check, green, red
from inft.readiness.corpus import judge_corpus
from inft.readiness.hub_files import are_weights_whole
from inft.runs.locks import lock_file, read_holder

MODEL, OUTPUT = "local model", "output folders"


def judge_model_folder(folder: Path) -> Check:
    """Whether a checkpoint lies there."""
    fix = "Point basic.model_path at a folder that save_pretrained or a hub download has written."
    if not os.path.isdir(folder):
        return red(MODEL, f"There is no folder {folder} (basic.model_path).", fix)
    if not os.path.isfile(folder / "config.json"):
        return red(MODEL, f"{folder} (basic.model_path) holds no config.json, so it is no checkpoint.", fix)
    if not any(folder.glob("*.safetensors")):
        return red(MODEL, f"{folder} (basic.model_path) holds no weights in safetensors files.", fix)
    if not are_weights_whole(folder):
        return red(
            MODEL, f"{folder} (basic.model_path) lacks some of the files that its index names.", "Copy it again."
        )
    return green(MODEL, f"{folder} holds a checkpoint.")


def local_folders(config: Config, root: Path) -> Iterator[Check]:
    """A check for each local folder that the profile reads."""
    if config.basic.model_source == "folder":
        yield judge_model_folder(inside(root, str(config.basic.model_path), "basic.model_path"))
    if config.data.path is not None:
        yield judge_corpus(config, inside(root, config.data.path, "data.path"))


def judge_output_folders(folders: Mapping[str, Path]) -> Check:
    """Whether another run writes to one of them; nothing is written or held to find out.

    Args:
        folders: each by the parameter that names it.
    """
    others = f"name other folders with {' and '.join(folders)}"
    for folder in folders.values():
        path = lock_file(Path(os.path.realpath(folder)))
        if not _is_held(path):
            continue
        holder = read_holder(path)
        who = "another process" if holder is None else f"run {holder.run_id}"
        fix = f"Wait until it has ended, or {others}."
        if holder is not None:
            fix = f"Stop it with `inft-tui stop {holder.run_id}`, wait until it has ended, or {others}."
        return red(OUTPUT, f"{who[:1].upper()}{who[1:]} writes to {folder}, and a second one is refused.", fix)
    return green(OUTPUT, "No other run writes to this profile's folders.")


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(
            descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB
        )  # shared: two that look at once do not mislead each other
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(descriptor)
    return False
