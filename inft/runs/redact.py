"""Keeps access tokens out of everything that is written or shown."""

from __future__ import annotations

import re

_HUB_TOKEN = re.compile(r"hf_[A-Za-z0-9]{8,}")


def redact(text: str) -> str:
    """`text` with every Hugging Face token replaced.

    >>> redact("HF_TOKEN=hf_abcdEFGH1234 inft-tui")
    'HF_TOKEN=hf_*** inft-tui'
    """
    return _HUB_TOKEN.sub("hf_***", text)


def storable(text: str) -> str:
    r"""`text` redacted, and encodable as UTF-8: bytes of a file name that are no text become `\udc..`."""
    return redact(text).encode("utf-8", "backslashreplace").decode("utf-8")
