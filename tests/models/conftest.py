from __future__ import annotations

from pathlib import Path

import pytest

from inft.models.tiny import tiny_checkpoint
from inft.params import FamilyName
from tests.models.bases import demo_texts


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[FamilyName, Path]:
    """Folder of each family's tiny checkpoint; tests leave them as they are."""
    cache = tmp_path_factory.mktemp("cache")
    families: tuple[FamilyName, ...] = ("llama32", "aya")
    return {family: tiny_checkpoint(family, cache, demo_texts()) for family in families}


@pytest.fixture(params=["llama32", "aya"])
def family(request: pytest.FixtureRequest) -> FamilyName:
    name: FamilyName = request.param
    return name
