"""What the screens look like; `snapshots.py` says how to store them anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inft_tui import scenes
from tests.inft_tui.demo_runs import demo_project
from tests.inft_tui.pictures import Scene
from tests.inft_tui.snapshots import FOLDER, check

SCENES = (*scenes.SCENES, *scenes.DETAILS)


@pytest.fixture(scope="module")
def logs_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with demo_project(tmp_path_factory.mktemp("demo")) as folder:
        yield folder


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_it_looks_as_it_did(scene: Scene, logs_dir: Path) -> None:
    check(scene, logs_dir)


def test_nothing_else_is_stored() -> None:
    names = tuple(f"{scene.name}-" for scene in SCENES)
    assert [path.name for path in FOLDER.iterdir() if not path.name.startswith(names)] == []


def test_the_drawings_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000
