"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "inft.runs.clock",
        "inft.runs.directory",
        "inft.runs.quantities",
        "inft.runs.redact",
        "inft.runs.visible",
        "inft_tui.values",
    ],
)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
