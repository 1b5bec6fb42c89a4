from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from inft.models.tiny import tiny_checkpoint
from inft.params import FamilyName


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make models this small a hundred times slower where the cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny(cache: Path) -> dict[FamilyName, Path]:
    """Folder of each family's tiny checkpoint; tests leave them as they are."""
    families: tuple[FamilyName, ...] = ("llama32", "aya")
    return {family: tiny_checkpoint(family, cache) for family in families}


@pytest.fixture(params=["llama32", "aya"])
def family(request: pytest.FixtureRequest) -> FamilyName:
    name: FamilyName = request.param
    return name
