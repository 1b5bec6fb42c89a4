"""Whether the base that is at hand is the one that the adapters were trained on."""

from __future__ import annotations

from inft.adapters import files
from inft.merging.lora import Adapters
from inft.merging.source import Source
from inft.models.checkpoint import Checkpoint
from inft.runs.bases import BaseIdentity, identify


def check_base(source: Source, adapters: Adapters, checkpoint: Checkpoint) -> BaseIdentity:
    """Which base it is.

    Raises:
        ConfigError: it is another one.
        DiskError: a file of it cannot be read.
    """
    found = identify(checkpoint.name, checkpoint.model)
    recorded = None if source.result is None else source.result.base
    files.check_base(f"of {source.title}", found, recorded, adapters.base_name)
    return found
