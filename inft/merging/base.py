"""Whether the base that is at hand is the one that the adapters were trained on."""

from __future__ import annotations

from inft.errors import ConfigError
from inft.merging.lora import Adapters
from inft.merging.source import Source
from inft.models.checkpoint import Checkpoint
from inft.runs.bases import BaseIdentity, identify, trained_on_another


def check_base(source: Source, adapters: Adapters, checkpoint: Checkpoint) -> BaseIdentity:
    """Which base it is.

    Adapters of our own runs say what the weights of theirs were like; of others only the base's name is known.

    Raises:
        ConfigError: it is another one.
        DiskError: a file of it cannot be read.
    """
    found = identify(checkpoint.name, checkpoint.model)
    recorded = None if source.result is None else source.result.base
    other = trained_on_another(found, recorded, adapters.base_name)
    if other is not None:
        at_hand = found.name if recorded is None else found.text
        raise ConfigError(
            f"The adapters of {source.title} were trained on {other}, and the base at hand is {at_hand}.",
            "Put the former where the run's configuration looks for it, or name a profile of it "
            "(--profile P --set ...).",
        )
    return found
