"""Whether the base that is at hand is the one that the adapters were trained on."""

from __future__ import annotations

import os

from inft.errors import ConfigError
from inft.merging.lora import Adapters
from inft.merging.source import Source
from inft.models.checkpoint import Checkpoint
from inft.runs.bases import BaseIdentity, identify


def check_base(source: Source, adapters: Adapters, checkpoint: Checkpoint) -> BaseIdentity:
    """Which base it is.

    Adapters of our own runs say what the weights of theirs were like; of others only the base's name is known.

    Raises:
        ConfigError: it is another one.
        DiskError: a file of it cannot be read.
    """
    found = identify(checkpoint.name, checkpoint.model)
    trained_on = None if source.result is None else source.result.base
    if trained_on is not None:
        if trained_on.weights != found.weights:
            raise _another(source, trained_on.text, found.text)
    elif adapters.base_name and not _same_name(adapters.base_name, checkpoint.name):
        raise _another(source, adapters.base_name, checkpoint.name)
    return found


def _same_name(one: str, other: str) -> bool:
    """Whether two names may mean the same base; a folder may have been moved since."""
    return one == other or (
        os.path.isabs(one) and os.path.isabs(other) and os.path.basename(one) == os.path.basename(other)
    )


def _another(source: Source, trained_on: str, found: str) -> ConfigError:
    return ConfigError(
        f"The adapters of {source.title} were trained on {trained_on}, and the base at hand is {found}.",
        "Put the former where the run's configuration looks for it, or name a profile of it (--profile P --set ...).",
    )
