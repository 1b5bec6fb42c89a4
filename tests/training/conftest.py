from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.nursery import Nursery
from tests.training.runs import Home


@pytest.fixture
def home(tmp_path: Path, cache: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty project root that this process, too, takes for the project's."""
    home = Home(tmp_path / "project", cache, nursery)
    home.root.mkdir()
    monkeypatch.setenv("INFT_HOME", str(home.root))
    monkeypatch.setenv("INFT_CACHE", str(cache))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return home
