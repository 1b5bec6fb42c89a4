"""A run's folder names the pictures that are opened, and may come from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft_tui.captions.whereabouts import picture_paths

RUNS = (Path("/runs/later"), Path("/runs/first"))
PROJECT = Path("/project")


def test_the_copies_come_first_then_the_original() -> None:
    assert picture_paths("pictures/12.jpg", "data/photo.png", RUNS, PROJECT) == (
        Path("/runs/later/pictures/12.jpg"),
        Path("/runs/first/pictures/12.jpg"),
        Path("/project/data/photo.png"),
    )
    assert picture_paths("", "/photos/a.jpg", RUNS, PROJECT) == (Path("/photos/a.jpg"),)
    assert picture_paths("", "", RUNS, PROJECT) == ()


@pytest.mark.parametrize(
    "picture",
    ["/etc/passwd", "../1.jpg", "pictures/../../1.jpg", "pictures/a.jpg", "pictures/1.jpg\n", "pictures/٣.jpg"],
)
def test_only_a_runs_own_copies_are_opened(picture: str) -> None:
    assert picture_paths(picture, "", RUNS, PROJECT) == ()


@pytest.mark.parametrize("image", ["../secret.png", "/photos/../home/a.png", "data/../../a.png"])
def test_an_original_does_not_lead_upwards(image: str) -> None:
    assert picture_paths("pictures/1.jpg", image, RUNS[:1], PROJECT) == (Path("/runs/later/pictures/1.jpg"),)
