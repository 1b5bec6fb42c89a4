"""Whose adapters those in a folder are, and where a run's are."""

from __future__ import annotations

from pathlib import Path

from inft.errors import ConfigError, DataError
from inft.runs.checkpoints import read_complete
from inft.runs.directory import RunDirectory
from inft.runs.find import reference
from inft.runs.inspect import inspect
from inft.runs.results import Result, read_result
from inft.runs.saved import last_checkpoint, saved_adapters
from inft.runs.visible import visible


def origin_of(folder: Path) -> Result | None:
    """Whose adapters lie in `folder`, by a final folder's own file or by a checkpoint's; None if neither is there.

    Raises:
        DataError: it is a checkpoint, and not whole.
        DiskError: it cannot be read.
    """
    stated = read_result(folder)
    if stated is not None:
        return stated
    checkpoint = read_complete(folder)
    if checkpoint is None and folder.name.startswith("checkpoint-"):
        raise DataError(f"{folder} is no complete checkpoint.", "Name another one, or the run.")
    return None if checkpoint is None else Result(checkpoint.run_id, checkpoint.step, base=checkpoint.base)


def final_adapters(run: RunDirectory) -> tuple[Path, Result | None]:
    """The folder of the adapters that a run has made, and what lies beside them.

    Raises:
        ConfigError: it still goes on, since what it began with would be taken for what it makes; or it has none.
        DiskError: something of it cannot be read.
    """
    shown = visible(run.run_id)
    checkpoint = last_checkpoint(run)
    if inspect(run).alive:
        wait = f"Wait (`inft-tui status {reference(run)} --watch`)"
        raise ConfigError(
            f"{shown} still goes on, and its adapters are written at its end.",
            f"{wait}; it has no checkpoint yet."
            if checkpoint is None
            else f"{wait}, or name its last checkpoint instead: {visible(str(checkpoint.path))}.",
        )
    saved = saved_adapters(run)
    if saved is not None and saved.path is not None:
        return saved.path, read_result(saved.path)
    where = "" if saved is None else f" in {saved.folder}"
    others = "" if saved is None or saved.others is None else f"; those there are of {visible(saved.others)}"
    raise ConfigError(
        f"{shown} has no adapters{where}{others}.",
        f"Go on with it: `inft-tui resume {reference(run)}`."
        if checkpoint is None
        else f"Name its last checkpoint instead: {visible(str(checkpoint.path))}.",
    )
