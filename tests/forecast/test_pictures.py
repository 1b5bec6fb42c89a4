"""Pictures that were replaced, deleted or added are noticed, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inft.forecast.pictures import PictureFiles


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three pictures, of which the last is missing."""
    found = [tmp_path / "a.png", tmp_path / "b \u0d9a\n.png", tmp_path / "gone.png"]
    for path in found[:2]:
        path.write_bytes(b"1234")
    return found


CHANGES: dict[str, Callable[[list[Path]], object]] = {
    "replaced": lambda paths: paths[1].write_bytes(b"12345"),
    "replaced by one as large": lambda paths: os.utime(paths[0], ns=(1, 1)),
    "deleted": lambda paths: paths[0].unlink(),
    "put back": lambda paths: paths[2].write_bytes(b"1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(paths: list[Path], change: str) -> None:
    files = PictureFiles.of(map(str, paths))
    assert files.unchanged()
    CHANGES[change](paths)
    assert not files.unchanged()


def test_paths_come_back(paths: list[Path]) -> None:
    assert list(PictureFiles.of(map(str, paths)).paths()) == [str(path) for path in paths]
    assert list(PictureFiles.none().paths()) == []


def test_what_is_damaged_counts_as_changed(paths: list[Path]) -> None:
    files = PictureFiles.of(map(str, paths))
    assert not replace(files, packed=files.packed[:4]).unchanged()
