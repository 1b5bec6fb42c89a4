"""The file that says what a merged model was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inft.errors import ConfigError

RECORD = "merge.json"
"""What a merged model's folder was made of; the file by which it is known."""

SCHEMA_VERSION = 1


def read_record(folder: Path) -> dict[str, Any]:
    """What `merge.json` in `folder` says.

    Raises:
        ConfigError: it cannot be read, or another version wrote it.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_bytes())
        known = record["schema_version"] == SCHEMA_VERSION and {"comparison", "not_compared"} <= record.keys()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        known = False
    if not known:
        raise ConfigError(f"{path} is none that this version of inft wrote.", "Merge again, into another folder.")
    found: dict[str, Any] = record
    return found
