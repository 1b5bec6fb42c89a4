from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from inft.loading import quick_loading
from tests.training.nursery import Nursery


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Every test process loads every library."""
    with quick_loading():
        return (yield)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all the processes that share this session's tests; what is in it may be made by any of them."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def cache(shared: Path) -> Path:
    """Where tiny checkpoints lie, each made by the first who needs it, and left as it is."""
    folder = shared / "tiny-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where trainers are forked that need not load the libraries."""
    nursery = Nursery()
    yield nursery
    nursery.close()
